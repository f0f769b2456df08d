"""How many of the items that were held back for a user one list finds, and how high.

Measures as in published comparisons of recommenders on fixed splits: nDCG with binary relevance, log2 and an ideal of
min(k, held items) (Järvelin and Kekäläinen 2002); recall over all held items; means over users with any.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.accuracy import Estimate, mean_of

MEASURES = ("nDCG", "Recall", "MRR", "HR")


@dataclass
class HeldOut:
    """What lists of at most `k` items found, one list for each user."""

    k: int
    _found: dict[str, list[float]] = field(default_factory=lambda: {measure: [] for measure in MEASURES})

    def add(self, shown: Sequence[str], held: Collection[str]) -> None:
        """One list, and the items that were held back for its user: at least one."""
        hits = np.array([item in held for item in shown[: self.k]], np.float64)
        discounts = _discounts(self.k)
        places = np.flatnonzero(hits)
        self._found["nDCG"].append(float(hits @ discounts[: len(hits)] / discounts[: len(held)].sum()))
        self._found["Recall"].append(float(hits.sum()) / len(held))
        self._found["MRR"].append(1.0 / (float(places[0]) + 1.0) if len(places) else 0.0)
        self._found["HR"].append(float(len(places) > 0))

    @property
    def users(self) -> int:
        """Lists so far."""
        return len(self._found["HR"])

    def mean(self, measure: str) -> Estimate:
        """Mean of one of `MEASURES` over users, and its standard error; NaN where it is unknown."""
        return mean_of(self._found[measure])


def _discounts(k: int) -> NDArray[np.float64]:
    return np.asarray(1.0 / np.log2(np.arange(k) + 2.0))
