"""The cross-encoder: any `…ForSequenceClassification` of the BERT family scores pairs of texts, or texts."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from models.bert.encoder import GPU_TOKENS, Device, batches, choose_device, padded
from models.bert.folder import ModelFolder, model_version
from models.bert.loading import load_classifier, load_tokenizer
from models.bert.packed import PackedBert, fits
from models.bert.prior import read_prior
from models.bert.tokens import CACHE_BYTES, Ids, Texts, TokenCache, read_joiner

Floats = NDArray[np.float32]
Precision = Literal["auto", "float32", "bfloat16"]

CPU_TOKENS = 2_048
"""Tokens at once on a processor: 8,000 were no faster (MiniLM-L6, one core), and take four times the memory."""


class CrossEncoder:
    """A model with a classification head in memory. Safe to call from one thread at a time."""

    def __init__(
        self,
        folder: ModelFolder,
        device: Device = "auto",
        threads: int = 0,
        precision: Precision = "auto",
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Load it. Raises ModelError if the files or the device do not do.

        `precision` auto: bfloat16 where the hardware multiplies it, else float32; chances then differ by less than
        .01. `threads` of the processor hold for all of torch in this process; 0: as many as torch likes.
        """
        self.device = choose_device(device)
        if threads:
            torch.set_num_threads(threads)
        self.precision = choose_precision(precision, self.device)
        tokenizer = load_tokenizer(folder)
        self._model = load_classifier(folder, getattr(torch, self.precision)).to(self.device)
        self.version = model_version(folder)
        self.labels: list[str] = [name for _, name in sorted(self._model.config.id2label.items())]
        self._joiner = read_joiner(tokenizer)
        self.max_tokens = folder.max_tokens
        self._pad = tokenizer.pad_token_id or 0
        self._typed = int(getattr(self._model.config, "type_vocab_size", 0) or 0) > 1
        # On a GPU a kernel for each length would cost more than padding.
        self._packed = PackedBert(self._model) if self.device.type == "cpu" and fits(self._model) else None
        self._tokens_at_once = CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS
        self._prior = read_prior(folder.path, device, threads)
        self.tokens = TokenCache(
            lambda texts: tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"],
            cache_bytes,
        )
        """Ids of texts that were scored; `forget` there what changed."""

    def logits(self, inputs: Sequence[Texts]) -> Floats:
        """float32 [len(inputs), labels]: of pairs of texts, or of single texts; rows do not depend on each other.

        What is longer than the model takes is cut, see `Joiner.join`.
        """
        ids = self.tokens.ids(text for texts in inputs for text in texts)
        joined = [self._joiner.join([ids[text] for text in texts], self.max_tokens) for texts in inputs]
        logits = np.empty((len(inputs), len(self.labels)), np.float32)
        for places in batches([len(one) for one, _ in joined], self._tokens_at_once):
            part = [joined[place] for place in places]
            logits[places] = self._infer(part).float().cpu().numpy()
        if self._prior is not None:
            logits[:, -1] += self._prior.logits(inputs)
        return logits

    def chances(self, inputs: Sequence[Texts]) -> Floats:
        """Probability of each label, float32 [len(inputs), labels]; of a model with one label, that of its being so."""
        logits = torch.from_numpy(self.logits(inputs))
        chances: Floats = (logits.sigmoid() if len(self.labels) == 1 else logits.softmax(dim=1)).numpy()
        return chances

    @torch.inference_mode()
    def _infer(self, part: list[tuple[Ids, int]]) -> torch.Tensor:
        """Inputs in ascending order of length."""
        lengths = [len(ids) for ids, _ in part]
        if self._packed is not None:
            flat = torch.from_numpy(np.concatenate([ids for ids, _ in part]))
            types = torch.from_numpy(np.concatenate([np.arange(len(ids)) >= first for ids, first in part]))
            return self._packed.logits(flat, types.int(), lengths)
        tokens, mask = padded([ids for ids, _ in part], self._pad)
        types_of = np.zeros_like(tokens)
        for row, (ids, first) in enumerate(part):
            types_of[row, first : len(ids)] = 1
        arrays = {"input_ids": tokens, "attention_mask": mask, **({"token_type_ids": types_of} if self._typed else {})}
        logits: torch.Tensor = self._model(
            **{name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}
        ).logits
        return logits


def choose_precision(wanted: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """bfloat16 on GPUs and on processors with instructions for it, which others only imitate, unless told otherwise."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16"
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return "bfloat16" if any(probe is not None and probe() for probe in probes) else "float32"
