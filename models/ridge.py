"""Ridge weights of an item's nearest neighbours, each row solved by itself from published co-counts.

For target j with its R nearest items m, and G over histories (`models.cooccurrence`):

    W[m, j] = (G[m, m] + λ·I)⁻¹ · G[m, j]

which is the least-squares item model (Steck 2019, "Embarrassingly shallow autoencoders") confined to R items of each
target, so that a row is solved without the others (as SLIM by Ning and Karypis 2011 with neighbours chosen first).
"""

import numpy as np
from numpy.typing import NDArray

from models.cooccurrence import Ints

Floats = NDArray[np.float64]

SOLVED_AT_ONCE = 64
"""Systems in memory at a time: 64 of 50 × 50 are 1.3 MB and stay in the cache."""
LARGEST_WEIGHT = 10.0
"""Weights of a sound system stay near 1. Counts that are cut to a window and to the strongest neighbours need not be
positive definite: a row that comes near a singular system has no ridge weights rather than wild ones."""
_FIRST_SIZE = 1024


class CountTable:
    """Published co-counts of every item, to look up those among any few items.

    Rows are item numbers; a row holds the users of the item and up to M neighbours with G.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._users = np.zeros(_FIRST_SIZE, np.int64)
        self._cols = np.full((_FIRST_SIZE, most), -1, np.int32)
        self._g = np.zeros((_FIRST_SIZE, most), np.int32)
        self._slot = np.full(_FIRST_SIZE, -1, np.int16)

    def put(self, number: int, users: int, cols: Ints, g: NDArray[np.integer]) -> bool:
        """Take over an item's row; what is beyond M is cut. Says whether it differs from the one before."""
        self._grow(max(number, int(cols.max(initial=0))) + 1)
        padded = np.full(self._most, -1, np.int32), np.zeros(self._most, np.int32)
        for to, values in zip(padded, (cols[: self._most], g[: self._most]), strict=True):
            to[: len(values)] = values
        old_users, old_cols, old_g = self._users[number], self._cols[number], self._g[number]
        if old_users == users and np.array_equal(old_cols, padded[0]) and np.array_equal(old_g, padded[1]):
            return False
        self._users[number], self._cols[number], self._g[number] = users, *padded
        return True

    def among(self, items: Ints) -> Floats:
        """G among these distinct items, symmetric, users on the diagonal, float64 [n × n].

        A pair that only one of both rows still holds counts by that row; one that neither holds is 0.
        """
        self._grow(int(items.max(initial=0)) + 1)
        size = len(items)
        self._slot[items] = np.arange(size)
        # Clipped, a filled-up place (−1) is 0's: those are masked. As intp, `take` is four times as fast.
        cols = self._cols.take(items, 0).ravel().astype(np.intp)
        slots = self._slot.take(cols, mode="clip")
        slots[cols < 0] = -1
        self._slot[items] = -1
        among = (slots >= 0).nonzero()[0]
        counts = np.zeros((size, size))
        counts[among // self._most, slots[among]] = self._g.take(items, 0).ravel()[among]
        square = np.maximum(counts, counts.T)
        np.fill_diagonal(square, self._users[items])
        return square

    def _grow(self, size: int) -> None:
        have = len(self._users)
        if size <= have:
            return
        more = max(size, 2 * have) - have
        self._users = np.concatenate([self._users, np.zeros(more, np.int64)])
        self._cols = np.concatenate([self._cols, np.full((more, self._most), -1, np.int32)])
        self._g = np.concatenate([self._g, np.zeros((more, self._most), np.int32)])
        self._slot = np.concatenate([self._slot, np.full(more, -1, np.int16)])


def ridge_weights(table: CountTable, neighbours: list[Ints], g: list[Ints], regularisation: float) -> list[Floats]:
    """W[m, j] of each target's neighbours m, in their order.

    neighbours: distinct items near each target; g: G[m, j] as the target's own row has it.
    """
    weights: list[Floats] = []
    for begin in range(0, len(neighbours), SOLVED_AT_ONCE):
        part = slice(begin, begin + SOLVED_AT_ONCE)
        weights += _solved(table, neighbours[part], g[part], regularisation)
    return weights


def _solved(table: CountTable, neighbours: list[Ints], g: list[Ints], regularisation: float) -> list[Floats]:
    size = max(map(len, neighbours))
    systems = np.broadcast_to(np.eye(size), (len(neighbours), size, size)).copy()
    right = np.zeros((len(neighbours), size, 1))
    for place, (items, counts) in enumerate(zip(neighbours, g, strict=True)):
        count = len(items)
        systems[place, :count, :count] = table.among(items)
        systems[place, :count, :count].flat[:: count + 1] += regularisation
        right[place, :count, 0] = counts
    try:
        found = np.linalg.solve(systems, right)[:, :, 0]
    except np.linalg.LinAlgError:
        found = np.stack([_one(system, counts) for system, counts in zip(systems, right, strict=True)])
    sound = (np.abs(found) <= LARGEST_WEIGHT).all(axis=1)  # also false for NaN
    found[~sound] = 0.0
    return [row[: len(items)] for row, items in zip(found, neighbours, strict=True)]


def _one(system: Floats, counts: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(system, counts)[:, 0])
    except np.linalg.LinAlgError:
        return np.zeros(len(counts))
