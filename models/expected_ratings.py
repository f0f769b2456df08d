"""The rating that is expected of a user for each candidate, from the user's own ratings and what is known of items.

    r̂_uj = b_uj + n / (n + λ) · Σ_i w(j, i)·(r_ui − b_ui) / Σ_i w(j, i)

over the n neighbours i of j that the user rated, with b_ui = μ + b_u + b_i as in `models.ratings`: b_i from all ratings
of the item, b_u from those that the user gave lately. With few neighbours it stays near b_uj.
"""

import numpy as np
from numpy.typing import NDArray

from models.kernels import near_ratings
from models.profile import STRENGTH_STEPS
from models.ratings import SHRINK_ITEM, SHRINK_USER

Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

SHRINK_NEAR = 4.0
"""λ: of 0, .5, 1, 2, 4 and 8 the best on the last fifth of MovieLens Latest; on that of 100K 8 is .001 better."""


class ItemRatings:
    """How items were rated: of each the sum of the ratings, and how many they are."""

    def __init__(self) -> None:
        self._sums, self._counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._sum = self._count = 0

    def grow(self, size: int) -> None:
        """Room for so many items."""
        more = size - len(self._sums)
        self._sums = np.concatenate([self._sums, np.zeros(more, np.int64)])
        self._counts = np.concatenate([self._counts, np.zeros(more, np.int64)])

    def put(self, number: int, total: int, count: int) -> None:
        """The ratings of an item: their sum in thousandths, and how many; none where the count is not positive."""
        total, count = (total, count) if count > 0 else (0, 0)
        self._sum += total - int(self._sums[number])
        self._count += count - int(self._counts[number])
        self._sums[number], self._counts[number] = total, count

    @property
    def mean(self) -> float:
        """μ, of all ratings; NaN: there are none."""
        return self._sum / STRENGTH_STEPS / self._count if self._count else np.nan

    def offsets(self, numbers: Ints) -> Floats:
        """b_i: what an item's ratings are above the mean of all, shrunk, [len(numbers)]."""
        if not self._count:
            return np.zeros(len(numbers))
        counts = self._counts[numbers]
        return np.asarray((self._sums[numbers] / STRENGTH_STEPS - self.mean * counts) / (SHRINK_ITEM + counts))

    def means(self, numbers: Ints) -> Floats:
        """The mean of an item's ratings, [len(numbers)]; NaN: it was not rated."""
        counts = self._counts[numbers]
        sums = self._sums[numbers] / STRENGTH_STEPS
        return np.asarray(np.divide(sums, counts, out=np.full(len(numbers), np.nan), where=counts > 0))


def expected_ratings(
    items: Ints, recent: Ints, given: Floats32, known: ItemRatings, cols: Ints32, weights: Floats32, slots: Ints32
) -> Floats32:
    """r̂ of each item, float32 [len(items)]. It is neither below nor above all that the user gave and the item's mean.

    given: the user's ratings of the items of `recent`, NaN: none; at least one is there. cols, weights: [n × K], as in
    a neighbour table; slots: scratch [n], zeros, and left as such.
    """
    rated = np.flatnonzero(~np.isnan(given))
    numbers, ratings = recent[rated], given[rated].astype(np.float64)
    mean = float(ratings.mean()) if np.isnan(known.mean) else known.mean
    left = ratings - mean - known.offsets(numbers)
    of_user = left.sum() / (SHRINK_USER + len(left))
    sums, totals, counts = near_ratings(items, numbers, left - of_user, cols, weights, slots)
    near = np.where(totals > 0, sums / np.where(totals > 0, totals, 1.0), 0.0) * counts / (counts + SHRINK_NEAR)
    expected = mean + of_user + known.offsets(items) + near
    means = known.means(items)
    within = expected.clip(np.fmin(means, ratings.min()), np.fmax(means, ratings.max()))
    return np.asarray(within, np.float32)
