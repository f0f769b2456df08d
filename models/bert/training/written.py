"""The folder of a trained model: safetensors, tokenizer, configuration, and `model.json`, its card."""

import json
from pathlib import Path
from typing import Any

from models.bert.training import checkpoint
from models.bert.training.examples import DataError
from models.bert.training.trainer import Trainer

CARD = "model.json"


def check_free(folder: Path, resume: bool) -> None:
    """Raise DataError if the folder holds a model, or an interrupted training that is not to be resumed, or none."""
    if (folder / "config.json").exists():
        raise DataError(f"{folder} already holds a model: name another folder")
    if checkpoint.found(folder) and not resume:
        raise DataError(f"{folder} holds an interrupted training: give --resume, or delete {folder}/checkpoint")
    if resume and not checkpoint.found(folder):
        raise DataError(f"{folder} holds no interrupted training: leave --resume out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DataError(f"{folder} cannot be made: {exc.strerror}") from exc


def write_model(trainer: Trainer, folder: Path, card: dict[str, Any]) -> None:
    """Write the model as it is now, with its card, and drop the checkpoint."""
    trainer.model.save_pretrained(folder)
    trainer.tokenizer.save_pretrained(folder)
    longest = {"max_seq_length": trainer.settings.max_tokens}
    (folder / "sentence_bert_config.json").write_text(json.dumps(longest) + "\n")
    (folder / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    checkpoint.drop(folder)


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model; {}: it has none."""
    try:
        loaded = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
