"""The newest neighbours, norms and popularity of every item, in arrays that a batch can gather from."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.expected_ratings import ItemRatings
from models.interning import Interner
from models.popularity import fade

Floats32 = NDArray[np.float32]
Floats = NDArray[np.float64]

_FIRST_SIZE = 1024
_NO_RIDGE: Floats32 = np.zeros(0, np.float32)


class NeighbourTable:
    """One row for each item number: the K strongest neighbours and how popular the item is.

    cols: int32 [n × K] and weights: float32 [n × K], strongest first, padded with weight 0; ridge: float32 [n × R], of
    the first R ≤ K neighbours, padded with 0.
    """

    def __init__(self, items: Interner, most: int, ridge: int = 0) -> None:
        self.items = items
        self.most = most
        self.ridge = np.zeros((_FIRST_SIZE, min(ridge, most)), np.float32)
        self.cols = np.zeros((_FIRST_SIZE, most), np.int32)
        self.weights = np.zeros((_FIRST_SIZE, most), np.float32)
        self.popularity = np.zeros(_FIRST_SIZE)
        self.clocks = np.zeros(_FIRST_SIZE)
        self.ratings = ItemRatings()
        self.ratings.grow(_FIRST_SIZE)
        self.clock = 0.0
        """Newest event count seen: what popularity is faded to."""
        self.segments: dict[str, dict[int, tuple[float, float]]] = {}
        """Segment → item → (popularity, its clock)."""

    def grow(self) -> None:
        """Room for every known item; doubles, so that it is seldom."""
        have, need = len(self.popularity), len(self.items)
        if have >= need:
            return
        more = max(need, 2 * have) - have
        self.cols = np.concatenate([self.cols, np.zeros((more, self.most), np.int32)])
        self.weights = np.concatenate([self.weights, np.zeros((more, self.most), np.float32)])
        self.ridge = np.concatenate([self.ridge, np.zeros((more, self.ridge.shape[1]), np.float32)])
        self.popularity = np.concatenate([self.popularity, np.zeros(more)])
        self.clocks = np.concatenate([self.clocks, np.zeros(more)])
        self.ratings.grow(len(self.clocks))

    def update(
        self,
        item: str,
        ids: Sequence[str],
        weights: Floats32,
        popularity: float,
        clock: float,
        segments: Mapping[str, float],
        ridge: Floats32 = _NO_RIDGE,
        ratings: tuple[int, int] = (0, 0),
    ) -> None:
        """Take over an item's newest row; ids and weights strongest first, more than K (ridge: R) are cut.

        ratings: their sum, in thousandths, and how many they are.
        """
        number = self.items.number(item)
        cols = self.items.numbers(ids[: self.most])
        self.grow()
        count = len(cols)
        self.cols[number, :count] = cols
        self.weights[number, :count] = weights[:count]
        self.weights[number, count:] = 0
        known = min(len(ridge), self.ridge.shape[1])
        self.ridge[number, :known], self.ridge[number, known:] = ridge[:known], 0
        self.popularity[number], self.clocks[number] = popularity, clock
        self.ratings.put(number, *ratings)
        self.clock = max(self.clock, clock)
        for segment, value in segments.items():
            self.segments.setdefault(segment, {})[number] = (value, clock)

    def remove(self, item: str) -> None:
        """Forget an item's row."""
        number = self.items.known(item)
        if number is not None and number < len(self.popularity):
            self.weights[number] = 0
            self.ridge[number] = 0
            self.popularity[number] = 0
            self.ratings.put(number, 0, 0)
            for of_segment in self.segments.values():
                of_segment.pop(number, None)

    def popularity_now(self, half_life: float) -> Floats:
        """Popularity of all items, faded to the newest clock, float64 [n]."""
        return fade(self.popularity, self.clocks, self.clock, half_life)
