"""Whether two sets of co-counts are equal, with one number for each row: nothing of the size of the pairs is kept.

The checksum of item i is `Σ_j (G_ij · κ + C_ij) · h_j` modulo 2^64, with a random odd number h_j for every item and κ.
It is linear, as co-counts are: those of histories add up, and a change adds its own. Rows that differ in a count have
different checksums, but for a chance of about 2^−60.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.cooccurrence import DISTANCE_POWER, FIXED_POINT
from models.interning import Interner

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

_FIRST_SIZE = 1024
_ARRAYS = ("checksums", "users", "sums", "rating_sums", "raters")


class Hashes:
    """The random number of each item of a numbering, and κ; shared by what is compared."""

    def __init__(self, items: Interner, seed: int) -> None:
        self.items = items
        self._rng = np.random.default_rng(seed)
        self.kappa = self._draw(1)[0]
        self._of = self._draw(_FIRST_SIZE)

    def of(self, numbers: Ints) -> Words:
        """Random numbers of items, uint64 [len(numbers)]."""
        if len(self._of) < len(self.items):
            self._of = np.concatenate([self._of, self._draw(2 * len(self.items) - len(self._of))])
        return self._of[numbers]

    def _draw(self, count: int) -> Words:
        return self._rng.integers(0, 1 << 64, count, np.uint64, endpoint=False) | np.uint64(1)


class RowSums:
    """Of every item: the checksum of its co-counts, its users G_ii, the sum R_i = Σ_j C_ij, and its ratings."""

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        self.checksums: Words = np.zeros(_FIRST_SIZE, np.uint64)
        self.users: Ints = np.zeros(_FIRST_SIZE, np.int64)
        self.sums: Ints = np.zeros(_FIRST_SIZE, np.int64)
        self.rating_sums: Ints = np.zeros(_FIRST_SIZE, np.int64)
        self.raters: Ints = np.zeros(_FIRST_SIZE, np.int64)

    def grow(self) -> None:
        """Room for every item of the numbering."""
        missing = len(self._hashes.items) - len(self.users)
        if missing > 0:
            more = max(missing, len(self.users))
            for name in _ARRAYS:
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros(more, old.dtype)]))

    def add(self, other: "RowSums") -> None:
        """Add all of another one over the same numbering."""
        self.grow()
        other.grow()
        size = len(self._hashes.items)
        for name in _ARRAYS:
            getattr(self, name)[:size] += getattr(other, name)[:size]

    def add_counts(self, rows: Ints, cols: Ints, g: Ints, c: Ints, sign: int = 1) -> None:
        """Co-counts given as coordinates; all arrays of one length."""
        self.grow()
        values = (g * sign).astype(np.uint64) * self._hashes.kappa + (c * sign).astype(np.uint64)
        np.add.at(self.checksums, rows, values * self._hashes.of(cols))
        np.add.at(self.sums, rows, c * sign)

    def add_ratings(self, rows: Ints, sums: Ints, raters: Ints, sign: int = 1) -> None:
        """Ratings of items: their sums in thousandths, and how many; all arrays of one length."""
        self.grow()
        np.add.at(self.rating_sums, rows, sums * sign)
        np.add.at(self.raters, rows, raters * sign)

    def add_histories(self, histories: Sequence[Ints], window: int, sign: int = 1, only: Ints | None = None) -> None:
        """`sign` times Σ pairs(H_u), one step for each distance. `only`: rows of these items alone, ascending."""
        if not len(histories):
            return
        self.grow()
        flat = np.concatenate(histories)
        if not len(flat):
            return
        wanted = np.ones(len(self.users), bool)
        if only is not None:
            wanted[:] = False
            wanted[only] = True
        owner = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
        np.add.at(self.users, flat[wanted[flat]], sign)
        for apart in range(1, min(window, max(map(len, histories)) - 1) + 1):
            weight = round(apart**-DISTANCE_POWER * FIXED_POINT)
            same = owner[apart:] == owner[:-apart]
            later, earlier = flat[apart:][same], flat[:-apart][same]
            for rows, cols in ((later, earlier), (earlier, later)):
                kept = wanted[rows]
                ones = np.ones(int(kept.sum()), np.int64)
                self.add_counts(rows[kept], cols[kept], ones, weight * ones, sign)
