"""Ranked lists of several sources put together."""

from collections.abc import Sequence

import numpy as np

from models.neighbour_table import Floats
from models.popular import Ranked


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
