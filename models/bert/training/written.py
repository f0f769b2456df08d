"""The folder of a trained model: safetensors, tokenizer, configuration, and `model.json`, its card."""

import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from models.bert.training import checkpoint
from models.bert.training.examples import DataError
from models.bert.training.trainer import Trainer

CARD = "model.json"


def check_free(folder: Path, resume: bool) -> None:
    """Raise DataError if the folder holds a model, or an interrupted training that is not to be resumed, or none."""
    interrupted = checkpoint.found(folder)  # perhaps while the model was written
    if (folder / "config.json").exists() and not interrupted:
        raise DataError(f"{folder} already holds a model: name another folder")
    if interrupted and not resume:
        raise DataError(f"{folder} holds an interrupted training: give --resume, or delete {folder}/checkpoint")
    if resume and not interrupted:
        raise DataError(f"{folder} holds no interrupted training: leave --resume out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DataError(f"{folder} cannot be made: {exc.strerror}") from exc


def write_model(trainer: Trainer, folder: Path, card: dict[str, Any]) -> None:
    """Write the model as it is now, with its card, and drop the checkpoint. Raises DataError if that fails."""
    try:
        _write(trainer, folder, card)
    except (OSError, SafetensorError) as exc:
        raise DataError(f"{folder} cannot be written: {exc}; what was learned is kept: give --resume") from exc


def _write(trainer: Trainer, folder: Path, card: dict[str, Any]) -> None:
    trainer.model.save_pretrained(folder)
    trainer.tokenizer.save_pretrained(folder)
    longest = {"max_seq_length": trainer.settings.max_tokens}
    (folder / "sentence_bert_config.json").write_text(json.dumps(longest) + "\n")
    (folder / CARD).write_text(json_of(card, indent=2) + "\n", encoding="utf-8")
    checkpoint.drop(folder)


def json_of(told: Any, indent: int | None = None) -> str:
    """As JSON; NaN, which JSON does not have, as null: a figure that these rows do not tell."""
    return json.dumps(_told(told), indent=indent, ensure_ascii=False, allow_nan=False)


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _told(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_told(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model; {}: it has none."""
    try:
        loaded = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
