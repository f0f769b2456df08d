"""The prior of a model of pairs: its bi-encoder tuned, its line fitted, both written."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bert.encoder import Device, Encoder
from models.bert.folder import ModelFolder, find_model, model_version
from models.bert.prior import FILE, FOLDER, Closeness, Floats, Line
from models.bert.training.examples import DataError, Example, fingerprint, labels_of, numbers_of
from models.bert.training.measures import auc
from models.bert.training.settings import TrainSettings
from models.bert.training.tuning import Anchor, Tell, TitleTuner, anchors_of, untold

STEPS = 30
"""Of Newton's method: it converges in fewer than ten."""
RIDGE = 1e-3
"""Keeps the line finite where cosines tell the labels apart."""
TUNED = "tuned.json"
"""Beside a bi-encoder that was tuned here: of what, so that a resumed training need not do it again."""
_PARENT_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "1_Pooling")


def fit_line(cosines: Floats, positive: NDArray[np.bool_]) -> Line:
    """The likeliest logistic regression, by Newton's method; cosines, positive: [n]."""
    rows = np.stack([cosines.astype(np.float64), np.ones(len(cosines))], axis=1)
    weights = np.zeros(2)
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-rows @ weights))
        gradient = rows.T @ (chances - positive) + RIDGE * weights
        curvature = (rows * (chances * (1 - chances))[:, None]).T @ rows + RIDGE * np.eye(2)
        weights -= np.linalg.solve(curvature, gradient)
    return Line(float(weights[0]), float(weights[1]))


class FittedPrior:
    """The line over the cosines of a bi-encoder, fitted to pairs."""

    def __init__(self, encoder_folder: ModelFolder, closeness: Closeness, line: Line, tuned: bool) -> None:
        self._encoder_folder, self._closeness, self.line, self.tuned = encoder_folder, closeness, line, tuned

    def logits(self, examples: Sequence[Example]) -> Floats:
        """What is known of the last label's logit, float32 [n]."""
        return self.line.logits(self._closeness.cosines([one.texts for one in examples]))

    def write(self, folder: Path) -> None:
        """Keep the line and the bi-encoder in the folder of the cross-encoder."""
        if not self.tuned:
            shutil.rmtree(folder / FOLDER, ignore_errors=True)
            _copy(self._encoder_folder.path, folder / FOLDER)
        (folder / FILE).write_text(json.dumps(vars(self.line)) + "\n")


def fit_prior(
    parent: ModelFolder,
    examples: Sequence[Example],
    validation: Sequence[Example],
    settings: TrainSettings,
    folder: Path,
    device: Device,
    threads: int,
    tell: Tell = untold,
) -> FittedPrior:
    """The bi-encoder of the parent, or of the parent's own prior, tuned and with a line over its cosines.

    It is tuned in the cross-encoder's folder, and stays as it was if that does not raise the AUC of `validation`.
    Cosines of pairs that it has learned from are larger than others will be: the line is then fitted to `validation`.
    Raises DataError for other than two labels.
    """
    labels = labels_of(examples)
    if len(labels) != 2:
        raise DataError(f"a prior is for two labels, such as no and yes, and there are {len(labels)}: give --no-prior")
    own = parent.path / FOLDER
    start = find_model(str(own)) if own.is_dir() else parent
    positive, checked = (numbers_of(part, labels) == 1 for part in (examples, validation))
    closeness = Closeness(Encoder(start, device, threads))
    anchors = anchors_of(examples, positive) if settings.prior_epochs else []
    if anchors and 0 < checked.sum() < len(checked):
        given = [asdict(settings), model_version(start), fingerprint(examples)]
        mark = hashlib.sha256(json.dumps(given).encode()).hexdigest()
        if not _marked(folder / FOLDER, mark):
            _tune(start, anchors, settings, folder / FOLDER, mark, device, tell)
        tuned = find_model(str(folder / FOLDER))
        nearer = Closeness(Encoder(tuned, device, threads))
        pairs = [one.texts for one in validation]
        before, after = closeness.cosines(pairs), nearer.cosines(pairs)
        if auc(checked, after.astype(np.float64)) > auc(checked, before.astype(np.float64)):
            return FittedPrior(tuned, nearer, fit_line(after, checked), tuned=True)
    return FittedPrior(start, closeness, fit_line(closeness.cosines([one.texts for one in examples]), positive), False)


def _tune(
    start: ModelFolder,
    anchors: Sequence[Anchor],
    settings: TrainSettings,
    folder: Path,
    mark: str,
    device: Device,
    tell: Tell,
) -> None:
    """Tune a bi-encoder and write it into a folder, the mark last: then it is whole."""
    tuner = TitleTuner(start, settings, device)
    tuner.run(anchors, tell)
    _copy(start.path, folder)
    tuner.model.save_pretrained(folder)
    (folder / TUNED).write_text(json.dumps(mark) + "\n")


def _marked(folder: Path, mark: str) -> bool:
    try:
        return bool(json.loads((folder / TUNED).read_text()) == mark)
    except (OSError, ValueError):
        return False


def _copy(source: Path, target: Path) -> None:
    """The files of a bi-encoder."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted({found for kind in _PARENT_FILES for found in source.glob(kind)}):
        if path.is_dir():
            shutil.copytree(path, target / path.name, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, target / path.name)
