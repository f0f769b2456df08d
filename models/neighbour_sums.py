"""Item-CF sums of one user: what the neighbours of its newest items add up to, by item.

Each of the m · K entries (a neighbour of an item of the history) belongs to the item that it names. An item is
represented by the last of its entries: so a sum over a hundred rows costs nothing for items that do not occur.
"""

import numpy as np
from numpy.typing import NDArray

from models.similarity import strongest

Entries = NDArray[np.intp]


class NeighbourSums:
    """`Σ_k recency(k) · w(i_k, j)` for each item j that is a neighbour of the history and may be seen."""

    def __init__(
        self,
        cols: NDArray[np.integer],
        weights: NDArray[np.float32],
        entry: NDArray[np.int64],
        hidden: NDArray[np.integer],
    ) -> None:
        """`cols`, `weights`: neighbours of the m newest items, weighed by recency, [m × K], newest first; those of one
        item are distinct but where the weight is 0.

        entry: scratch for all items, whatever it holds; hidden: items that get no sum.
        """
        self._most = cols.shape[1]
        self.cols: Entries = cols.ravel().astype(np.intp)
        """Item numbers of the entries."""
        self._weights = weights.ravel()
        self._none = len(self.cols)
        """Stands for all that is hidden."""
        entry[self.cols] = np.arange(self._none)
        entry[hidden] = self._none
        self._last = entry.take(self.cols)
        """The representing entry of each entry."""
        self._sums: NDArray[np.float64] | None = None

    def leave_out(self, entries: NDArray[np.bool_]) -> None:
        """Hide the items of these entries, [m · K], too."""
        self._last[entries] = self._none
        self._sums = None

    def _all(self) -> NDArray[np.float64]:
        if self._sums is None:
            self._sums = np.bincount(self._last, self._weights, self._none + 1)[:-1].astype(np.float64, copy=False)
        return self._sums

    def strongest(self, most: int) -> Entries:
        """The representing entries of the `most` items with the largest sums > 0, largest first."""
        sums = self._all()
        best = strongest(sums, most)
        return best[sums[best] > 0]

    def items(self, entries: Entries) -> NDArray[np.int64]:
        """Their item numbers."""
        return self.cols[entries].astype(np.int64, copy=False)

    def values(self, entries: Entries) -> NDArray[np.float64]:
        """Sums of the items that these entries represent."""
        return self._all()[entries]

    def because(self, entries: Entries) -> NDArray[np.int64]:
        """For each representing entry: the place in the history whose item adds most to the sum; of equal ones the
        newest."""
        rows = self._none // self._most
        if not rows:
            return np.full(len(entries), -1, np.int64)
        slot = np.full(self._none + 1, -1, np.int32)
        slot[entries] = np.arange(0, len(entries) * rows, rows)
        slots = slot.take(self._last)
        hit = (slots >= 0).nonzero()[0]
        parts = np.zeros(len(entries) * rows, np.float32)
        # From the end on: what a row is filled up with, weights of 0, comes after its neighbours, and these stay.
        parts[(slots[hit] + hit // self._most)[::-1]] = self._weights[hit[::-1]]
        place: NDArray[np.int64] = parts.reshape(len(entries), rows).argmax(axis=1)
        return place
