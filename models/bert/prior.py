"""What the first stage says of pairs, as a prior of the second: a cross-encoder that starts where the bi-encoder ends.

    logit(pair) = cross(pair) + slope · cos(profile, item) + intercept

with the cosine of the item's vector and the mean of the vectors of the profile's titles. Slope and intercept are those
of a logistic regression on the pairs that the cross-encoder learns from, and it learns what they leave: with few pairs
it would not find out by itself how alike two titles are, which its parent was trained on a billion pairs to know.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bert.encoder import Device, Encoder
from models.bert.folder import ModelError, find_model
from models.bert.tokens import Texts
from models.pair_texts import liked

Floats = NDArray[np.float32]

FILE, FOLDER = "prior.json", "prior"
VECTORS_KEPT = 50_000
"""Of titles used last: 77 MB for vectors of 384 numbers."""


@dataclass(frozen=True)
class Line:
    """A logistic regression of one feature."""

    slope: float
    intercept: float

    def logits(self, cosines: Floats) -> Floats:
        """float32 [n]."""
        found: Floats = (self.slope * cosines + self.intercept).astype(np.float32)
        return found


class Closeness:
    """Cosines of pairs by a bi-encoder; keeps the vectors of titles. For one thread at a time."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._kept: OrderedDict[str, Floats] = OrderedDict()

    def cosines(self, pairs: Sequence[Texts]) -> Floats:
        """float32 [n] within [−1, 1]; 0 where the profile has no title."""
        titles = {profile: liked(profile) for profile in dict.fromkeys(pair[0] for pair in pairs)}
        vectors = self._vectors(
            [*(title for found in titles.values() for title in found), *(pair[1] for pair in pairs)]
        )
        means = {profile: _unit_mean([vectors[title] for title in found]) for profile, found in titles.items() if found}
        return np.array([means[a] @ vectors[b] if a in means else 0.0 for a, b in pairs], np.float32)

    def _vectors(self, texts: Iterable[str]) -> dict[str, Floats]:
        wanted = dict.fromkeys(texts)
        new = [text for text in wanted if text not in self._kept]
        if new:
            self._kept.update(zip(new, self._encoder.encode(new), strict=True))
        found = {}
        for text in wanted:
            self._kept.move_to_end(text)
            found[text] = self._kept[text]
        while len(self._kept) > VECTORS_KEPT:
            self._kept.popitem(last=False)
        return found


def _unit_mean(vectors: Sequence[Floats]) -> Floats:
    mean: Floats = np.mean(vectors, axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


class Prior:
    """The line over the cosines."""

    def __init__(self, closeness: Closeness, line: Line) -> None:
        self._closeness, self._line = closeness, line

    def logits(self, pairs: Sequence[Texts]) -> Floats:
        """What is added to the logit of the last label, float32 [n]."""
        return self._line.logits(self._closeness.cosines(pairs))


def read_prior(folder: Path, device: Device, threads: int) -> Prior | None:
    """The prior of a cross-encoder; None: it has none. Raises ModelError for one that is broken."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        line = Line(float(told["slope"]), float(told["intercept"]))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ModelError(f"{path} cannot be read: {exc}") from exc
    return Prior(Closeness(Encoder(find_model(str(folder / FOLDER)), device, threads)), line)
