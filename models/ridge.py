"""Ridge weights of an item's nearest neighbours, each row solved by itself from published co-counts.

For target j with its R nearest items m, and G over histories (`models.cooccurrence`):

    W[m, j] = (G[m, m] + λ·I)⁻¹ · G[m, j]

which is the least-squares item model (Steck 2019, "Embarrassingly shallow autoencoders") confined to R items of each
target, so that a row is solved without the others (as SLIM by Ning and Karypis 2011 with neighbours chosen first).
"""

import numpy as np
from numpy.typing import NDArray

from models.cooccurrence import Ints
from models.kernels import compiled

Floats = NDArray[np.float64]
Ints16 = NDArray[np.int16]
Ints32 = NDArray[np.int32]
AnyInts = NDArray[np.integer]

SOLVED_AT_ONCE = 64
"""Systems in memory at a time: 64 of 50 × 50 are 1.3 MB and stay in the cache."""
LARGEST_WEIGHT = 10.0
"""Weights of a sound system stay near 1. Counts that are cut to a window and to the strongest neighbours need not be
positive definite: a row that comes near a singular system has no ridge weights rather than wild ones."""
_FIRST_SIZE = 1024
_SUMS = ("R", "published G", "published C")
"""Sums kept for each row and of all rows."""


class CountTable:
    """Published co-counts of every item, to look up those among any few items.

    Rows are item numbers; a row holds the users and the sum R of an item, and up to M neighbours with G.

    Of a popular item only the M strongest neighbours are known. A pair that two such rows both left out counts as if
    the items were independent: `G ≈ (Σ G / Σ C) · R_i · R_j / Σ R`, with the sums of what is published. As 0 it would
    make popular items look unlike each other (ml-100k with M = 200, HR@10 by ridge alone: .15; so .18; with all .19).
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._users = np.zeros(_FIRST_SIZE, np.int64)
        self._sums = np.zeros((_FIRST_SIZE, len(_SUMS)), np.int64)
        self._totals = np.zeros(len(_SUMS), np.int64)
        self._cols = np.full((_FIRST_SIZE, most), -1, np.int32)
        self._g = np.zeros((_FIRST_SIZE, most), np.int32)
        self._slot = np.full(_FIRST_SIZE, -1, np.int16)

    def put(self, number: int, users: int, c_sum: int, cols: Ints, g: AnyInts, c: AnyInts) -> bool:
        """Take over an item's row; what is beyond M is cut. Says whether it differs from the one before."""
        self._grow(max(number, int(cols.max(initial=0))) + 1)
        cols, g, c = cols[: self._most], g[: self._most], c[: self._most]
        row_cols, row_g = np.full(self._most, -1, np.int32), np.zeros(self._most, np.int32)
        row_cols[: len(cols)], row_g[: len(g)] = cols, g
        sums = np.array([c_sum, g.sum(dtype=np.int64), c.sum(dtype=np.int64)])
        if (
            self._users[number] == users
            and np.array_equal(self._sums[number], sums)
            and np.array_equal(self._cols[number], row_cols)
            and np.array_equal(self._g[number], row_g)
        ):
            return False
        self._totals += sums - self._sums[number]
        self._users[number], self._sums[number] = users, sums
        self._cols[number], self._g[number] = row_cols, row_g
        return True

    def independent_rate(self) -> float:
        """What R_i · R_j is multiplied with to guess G of independent items.

        Two digits: a finer one would change with every count, and every weight with it.
        """
        sums, g, c = self._totals.tolist()
        return float(f"{g / c / sums:.1e}") if g > 0 and c > 0 and sums > 0 else 0.0

    def among(self, items: Ints, rate: float) -> Floats:
        """G among these distinct items, symmetric, users on the diagonal, float64 [n × n].

        A pair that only one of both rows still holds counts by that row; `rate`: see `independent_rate`.
        """
        self._grow(int(items.max(initial=0)) + 1)
        square = np.zeros((len(items), len(items)))
        _fill(square, items, self._users, self._sums, self._cols, self._g, self._slot, rate)
        return square

    def _grow(self, size: int) -> None:
        have = len(self._users)
        if size <= have:
            return
        more = max(size, 2 * have) - have
        self._users = np.concatenate([self._users, np.zeros(more, np.int64)])
        self._sums = np.concatenate([self._sums, np.zeros((more, len(_SUMS)), np.int64)])
        self._cols = np.concatenate([self._cols, np.full((more, self._most), -1, np.int32)])
        self._g = np.concatenate([self._g, np.zeros((more, self._most), np.int32)])
        self._slot = np.concatenate([self._slot, np.full(more, -1, np.int16)])


@compiled
def _fill(
    square: Floats, items: Ints, users: Ints, sums: Ints, cols: Ints32, g: Ints32, slot: Ints16, rate: float
) -> None:
    """`CountTable.among` into zeros. `slot` holds −1 everywhere, and is left as such.

    With numpy expressions in its place `ridge_weights` takes 1.9 times as long, solving included.
    """
    size, most = len(items), cols.shape[1]
    for place in range(size):
        slot[items[place]] = place
    for row in range(size):
        for entry in range(most):
            col = cols[items[row], entry]
            if col < 0:
                break
            place = slot[col]
            if place >= 0 and g[items[row], entry] > square[row, place]:
                square[row, place] = square[place, row] = g[items[row], entry]
    for row in range(size):
        slot[items[row]] = -1
        if most > 0 and rate > 0 and cols[items[row], most - 1] >= 0:
            for place in range(row):
                if square[row, place] == 0 and cols[items[place], most - 1] >= 0:
                    guess = rate * (float(sums[items[row], 0]) * float(sums[items[place], 0]))
                    square[row, place] = square[place, row] = guess
        square[row, row] = users[items[row]]


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
    size, rate = max(map(len, neighbours)), table.independent_rate()
    systems = np.broadcast_to(np.eye(size), (len(neighbours), size, size)).copy()
    right = np.zeros((len(neighbours), size, 1))
    for place, (items, counts) in enumerate(zip(neighbours, g, strict=True)):
        count = len(items)
        systems[place, :count, :count] = table.among(items, rate)
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
