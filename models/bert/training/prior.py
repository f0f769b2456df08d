"""The prior of a model of pairs, fitted and written."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bert.encoder import Device, Encoder
from models.bert.folder import ModelFolder, find_model
from models.bert.prior import FILE, FOLDER, Closeness, Floats, Line
from models.bert.training.examples import DataError, Example, labels_of, numbers_of

STEPS = 30
"""Of Newton's method: it converges in fewer than ten."""
RIDGE = 1e-3
"""Keeps the line finite where cosines tell the labels apart."""
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

    def __init__(self, encoder_folder: ModelFolder, closeness: Closeness, line: Line) -> None:
        self._encoder_folder, self._closeness, self.line = encoder_folder, closeness, line

    def logits(self, examples: Sequence[Example]) -> Floats:
        """What is known of the last label's logit, float32 [n]."""
        return self.line.logits(self._closeness.cosines([one.texts for one in examples]))

    def write(self, folder: Path) -> None:
        """Keep the line and the bi-encoder in the folder of the cross-encoder."""
        (folder / FOLDER).mkdir(exist_ok=True)
        for path in sorted({found for kind in _PARENT_FILES for found in self._encoder_folder.path.glob(kind)}):
            if path.is_dir():
                shutil.copytree(path, folder / FOLDER / path.name, dirs_exist_ok=True)
            else:
                shutil.copyfile(path, folder / FOLDER / path.name)
        (folder / FILE).write_text(json.dumps(vars(self.line)) + "\n")


def fit_prior(parent: ModelFolder, examples: Sequence[Example], device: Device, threads: int) -> FittedPrior:
    """Fit the cosines of the parent, or of the parent's own prior, to pairs.

    Raises DataError for other than two labels.
    """
    labels = labels_of(examples)
    if len(labels) != 2:
        raise DataError(f"a prior is for two labels, such as no and yes, and there are {len(labels)}: give --no-prior")
    own = parent.path / FOLDER
    folder = find_model(str(own)) if own.is_dir() else parent
    closeness = Closeness(Encoder(folder, device, threads))
    cosines = closeness.cosines([one.texts for one in examples])
    return FittedPrior(folder, closeness, fit_line(cosines, numbers_of(examples, labels) == 1))
