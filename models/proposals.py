"""Ranked lists of several sources put together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.cooccurrence import Ints
from models.neighbour_table import Floats
from models.popular import Ranked


def union(parts: Sequence[Ints], slot: NDArray[np.int64]) -> tuple[Ints, list[Ints]]:
    """The distinct numbers of all parts in the order in which they come first, and each part's places in that.

    slot: scratch for all numbers, whatever it holds.
    """
    every = np.concatenate(parts)
    order = np.arange(len(every))
    slot[every[::-1]] = order[::-1]  # of several writes to one slot the last, the first place, stays
    distinct = every[slot[every] == order]
    slot[distinct] = order[: len(distinct)]
    return distinct, [slot[part] for part in parts]


def best_first(ranked: Ranked) -> Ranked:
    """The same, best first."""
    order = np.argsort(-ranked[1], kind="stable")
    return ranked[0][order], ranked[1][order]


def merged(lists: Sequence[Ranked], most: int) -> Ranked:
    """Several ranked lists as one: an item's scores add up."""
    if not lists:
        return np.zeros(0, np.int64), np.zeros(0)
    numbers, place = np.unique(np.concatenate([items for items, _ in lists]), return_inverse=True)
    weights = np.concatenate([values for _, values in lists])
    scores: Floats = np.asarray(np.bincount(place, weights=weights, minlength=len(numbers)), np.float64)
    numbers, scores = best_first((numbers, scores))
    return numbers[:most], scores[:most]
