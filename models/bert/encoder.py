"""The bi-encoder: any model of the BERT family as a `TextEncoder`."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from models.bert.folder import ModelError, ModelFolder, Pooling, model_version
from models.bert.loading import load_bare, load_tokenizer

Floats = NDArray[np.float32]
Tokens = NDArray[np.int64]
Device = Literal["auto", "cpu", "cuda"]

CPU_TOKENS = 2_048
"""Tokens, padding included, that a processor takes at once: more gains nothing and leaves its caches."""
GPU_TOKENS = 32_768
"""The same for a GPU: enough rows to fill it, little enough memory for any."""
TEXTS_AT_ONCE = 10_000
"""Texts whose token ids and vectors are in memory at a time besides the result."""


class Encoder:
    """A model in memory. Safe to call from one thread at a time."""

    def __init__(self, folder: ModelFolder, device: Device = "auto", threads: int = 0) -> None:
        """Load it: bf16 on a GPU, float32 on a processor. Raises ModelError if the files or the device do not do.

        `threads` of the processor hold for all of torch in this process; 0: as many as torch likes.
        """
        self.device = choose_device(device)
        if threads:
            torch.set_num_threads(threads)
        self._tokens_at_once = GPU_TOKENS if self.device.type == "cuda" else CPU_TOKENS
        self._folder = folder
        self._tokenizer = load_tokenizer(folder)
        self._model = load_bare(folder, torch.bfloat16 if self.device.type == "cuda" else torch.float32).to(self.device)
        self.dimension = int(self._model.config.hidden_size)
        self.version = model_version(folder)
        self._pad = self._tokenizer.pad_token_id or 0

    def encode(self, texts: Sequence[str]) -> Floats:
        """See `TextEncoder`. Texts are cut at the model's longest input."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = list(texts[start : start + TEXTS_AT_ONCE])
            ids = self._tokenizer(
                part, truncation=True, max_length=self._folder.max_tokens, return_attention_mask=False
            )["input_ids"]
            for places in batches([len(text) for text in ids], self._tokens_at_once):
                vectors[start + places] = self._embed([ids[place] for place in places])
        return vectors

    @torch.inference_mode()
    def _embed(self, ids: list[list[int]]) -> Floats:
        """Vectors of texts of about one length."""
        tokens, mask = padded(ids, self._pad)
        attended = torch.from_numpy(mask).to(self.device)
        hidden = self._model(input_ids=torch.from_numpy(tokens).to(self.device), attention_mask=attended)
        unit: Floats = pooled(hidden.last_hidden_state.float(), attended, self._folder.pooling).cpu().numpy()
        return unit


def pooled(states: torch.Tensor, attended: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Unit vectors [n × d] of texts: of the first token, or the mean over tokens; states: [n × tokens × d]."""
    if pooling == "cls":
        vectors = states[:, 0]
    else:
        weights = attended.unsqueeze(-1).float()
        vectors = (states * weights).sum(dim=1) / weights.sum(dim=1)
    return torch.nn.functional.normalize(vectors, dim=1)


def padded(ids: Sequence[Sequence[int] | NDArray[np.integer]], pad: int) -> tuple[Tokens, Tokens]:
    """Token ids filled up to the longest text (at least 1), and 1 where there is a token: both [len(ids), longest].

    The first place counts as a token in any case: attention over nothing is NaN.
    """
    tokens = np.full((len(ids), max(1, *map(len, ids), 1)), pad, np.int64)
    mask = np.zeros_like(tokens)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = text
        mask[row, : len(text)] = 1
    mask[:, 0] = 1
    return tokens, mask


def choose_device(wanted: Device) -> torch.device:
    """The GPU when there is one, unless told otherwise. Raises ModelError if a GPU is wanted and there is none."""
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise ModelError("a CUDA device is wanted, and torch finds none: check the driver, or use device auto or cpu")
    return torch.device("cuda" if found and wanted != "cpu" else "cpu")


def batches(lengths: Sequence[int], tokens: int) -> Iterator[NDArray[np.intp]]:
    """Places of texts, shortest first, cut so that each batch padded to its longest has at most `tokens` tokens.

    A text longer than that is a batch of its own.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end, place in enumerate(order.tolist()):
        if end > start and max(1, lengths[place]) * (end + 1 - start) > tokens:
            yield order[start:end]
            start = end
    if start < len(order):
        yield order[start:]
