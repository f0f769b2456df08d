"""How varied lists were: how unlike their items are, and how far their categories are from those of the history.

Intra-list distance (Smyth and McClave 2001): mean over pairs of 1 − cosine of category sets. C_KL: see
`models.calibration`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.calibration import divergence, history_shares, item_shares
from models.diversity import category_hot, category_vectors
from models.interning import Interner


@dataclass
class Variety:
    """Means over lists; items without categories are left out, and lists for which nothing is left."""

    _names: Interner = field(default_factory=Interner)
    _distances: list[float] = field(default_factory=list)
    _divergences: list[float] = field(default_factory=list)

    def add(self, shown: Sequence[Sequence[str]], history: Sequence[Sequence[str]]) -> None:
        """One list: the categories of each of its items, and of the user's items, newest first."""
        groups = self._numbers(shown)
        with_any = groups[(groups >= 0).any(axis=1)]
        if len(with_any) > 1:
            vectors = category_vectors(category_hot(with_any))
            count = len(with_any)
            alike = (float((vectors.sum(axis=0) ** 2).sum()) - count) / (count * (count - 1))
            self._distances.append(1.0 - alike)
        wanted = history_shares(self._numbers(history))
        if wanted is not None and len(with_any):
            shares, _ = item_shares(with_any, wanted)
            self._divergences.append(float(divergence(wanted.shares, shares.mean(axis=0, keepdims=True))[0]))

    def distance(self) -> float:
        """Mean intra-list distance, 0 all alike, 1 all unlike; NaN without lists of two items with categories."""
        return _mean(self._distances)

    def miscalibration(self) -> float:
        """Mean C_KL in nats; NaN without lists and histories with categories."""
        return _mean(self._divergences)

    def _numbers(self, items: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        groups = np.full((len(items), max(map(len, items), default=0)), -1, np.int64)
        for row, names in enumerate(items):
            groups[row, : len(names)] = self._names.numbers(names)
        return groups


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else float("nan")
