"""All that a training needs to go on where it was: weights, optimiser, random state, progress. No pickles.

A checkpoint is a folder that is written beside the old one and then takes its place, so that a kill leaves one of both.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from models.bert.training.examples import DataError

FOLDER = "checkpoint"


@dataclass
class Progress:
    """Where a training is. Plain numbers, so that it is JSON."""

    fingerprint: str
    """Of settings, data and parent: a checkpoint of another training is refused."""
    epoch: int = 0
    batch: int = 0
    """Batches of this epoch that were learned from."""
    step: int = 0
    loss: float = 0.0
    """Running mean over the last steps."""
    best: float | None = None
    best_epoch: int = 0
    stale: int = 0
    """Epochs since the best."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Figures of each epoch."""


def save(
    folder: Path, progress: Progress, model: Any, optimiser: torch.optim.Optimizer, best: dict[str, torch.Tensor]
) -> None:
    """Write a checkpoint below this folder. Raises DataError if it cannot be written."""
    try:
        _write(folder, progress, model, optimiser, best)
    except (OSError, SafetensorError) as exc:
        raise DataError(f"no checkpoint can be written to {folder}: {exc}") from exc


def _write(
    folder: Path, progress: Progress, model: Any, optimiser: torch.optim.Optimizer, best: dict[str, torch.Tensor]
) -> None:
    fresh = folder / f"{FOLDER}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, fresh / "weights.safetensors")
    if best:
        save_file(best, fresh / "best.safetensors")
    moments = {
        f"{number}.{name}": torch.as_tensor(value)
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }
    random = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["random.cuda"] = torch.cuda.get_rng_state()
    save_file({**moments, **random}, fresh / "optimiser.safetensors")
    last = fresh / "progress.json.part"
    last.write_text(json.dumps(asdict(progress)))
    last.rename(fresh / "progress.json")  # with it the checkpoint is whole
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    fresh.rename(folder / FOLDER)


def found(folder: Path) -> bool:
    """Whether a training was interrupted in this folder."""
    return (_place(folder) / "progress.json").exists()


def load(
    folder: Path, fingerprint: str, model: Any, optimiser: torch.optim.Optimizer
) -> tuple[Progress, dict[str, torch.Tensor]]:
    """Bring model, optimiser and random state to the checkpoint; its progress and the best weights ({}: none yet).

    Raises DataError if it is of another training or cannot be read.
    """
    place = _place(folder)
    try:
        progress = Progress(**json.loads((place / "progress.json").read_text()))
        if progress.fingerprint != fingerprint:
            raise DataError(
                f"{place} is of a training with other settings, data or parent: give those again, or delete the folder"
            )
        model.load_state_dict(load_file(place / "weights.safetensors"))
        kept = load_file(place / "optimiser.safetensors")
        best = load_file(place / "best.safetensors") if (place / "best.safetensors").exists() else {}
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as exc:
        if isinstance(exc, DataError):
            raise
        raise DataError(f"{place} cannot be read: {exc}; delete the folder to begin anew") from exc
    torch.set_rng_state(kept.pop("random.cpu"))
    cuda = kept.pop("random.cuda", None)
    if cuda is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(cuda)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in kept.items():
        number, _, what = name.partition(".")
        state.setdefault(int(number), {})[what] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return progress, best


def drop(folder: Path) -> None:
    """The training is done."""
    for name in (FOLDER, f"{FOLDER}.new"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _place(folder: Path) -> Path:
    """The checkpoint: the new one if a kill came when it was whole and had not taken the old one's place yet."""
    fresh = folder / f"{FOLDER}.new"
    return fresh if (fresh / "progress.json").exists() else folder / FOLDER
