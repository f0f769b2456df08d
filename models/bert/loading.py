"""Tokenizers and models of transformers from a folder: quietly, and without code or pickles from it."""

from typing import Any

import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from models.bert.folder import ModelError, ModelFolder

HEAD_SEED = 0
"""A fresh head is the same in every process."""


def be_quiet() -> None:
    """Progress bars and hints about training heads are no use in a worker's log."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def load_tokenizer(folder: ModelFolder) -> Any:
    """The folder's tokenizer. Raises ModelError."""
    return _pretrained(AutoTokenizer, folder)


def load_bare(folder: ModelFolder, dtype: torch.dtype) -> Any:
    """A model without a head, ready to infer, on the processor. Raises ModelError."""
    return _pretrained(AutoModel, folder, use_safetensors=True, dtype=dtype).eval()


def _pretrained(kind: Any, folder: ModelFolder, **options: object) -> Any:
    be_quiet()
    try:
        return kind.from_pretrained(folder.path, trust_remote_code=False, **options)
    except Exception as exc:  # transformers raises OSError, ValueError, KeyError, RuntimeError, its own
        raise ModelError(f"{folder.path} does not load as a BERT model: {exc}") from exc


def load_classifier(folder: ModelFolder, dtype: torch.dtype = torch.float32) -> Any:
    """A model with a classification head, ready to infer, on the processor. Raises ModelError."""
    model, missing = _load(folder, dtype)
    if missing:
        raise ModelError(
            f"{folder.path} has no classification head ({', '.join(sorted(missing)[:2])} …): "
            "give it one with `profilestream train`"
        )
    return model.eval()


def with_fresh_head(folder: ModelFolder, labels: list[str], silent: bool = False) -> Any:
    """The folder's model for training on these labels, float32; its head is drawn anew unless it has such a one.

    A head is kept if it has the same labels in the same order. `silent`: a new one says 0 of everything. Raises
    ModelError.
    """
    names = dict(enumerate(labels))
    model, missing = _load(folder, torch.float32)
    known = dict(model.config.id2label)
    if not missing and known == names:
        return model
    model = _load(
        folder,
        torch.float32,
        num_labels=len(labels),
        id2label=names,
        label2id={name: number for number, name in names.items()},
        problem_type="single_label_classification",
        ignore_mismatched_sizes=True,
    )[0]
    _draw_head(model)
    if silent:
        last = [part for part in model.modules() if isinstance(part, torch.nn.Linear)][-1]
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    return model


def _draw_head(model: Any) -> None:
    """As transformers draws weights that a folder lacks; also over those of a head with other labels."""
    random = torch.Generator().manual_seed(HEAD_SEED)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and not name.startswith(f"{model.base_model_prefix}."):
            torch.nn.init.normal_(module.weight, 0.0, model.config.initializer_range, generator=random)
            torch.nn.init.zeros_(module.bias)


def _load(folder: ModelFolder, dtype: torch.dtype, **options: object) -> tuple[Any, set[str]]:
    """A model and the names of its weights that the folder does not have."""
    options |= {"use_safetensors": True, "dtype": dtype, "output_loading_info": True}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(HEAD_SEED)
        model, told = _pretrained(AutoModelForSequenceClassification, folder, **options)
    return model, set(told["missing_keys"])
