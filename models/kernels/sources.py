"""What several sources propose to one user, put together, and how ridge scores it."""

import numpy as np
from numpy.typing import NDArray

from models.kernels.ahead import fetch
from models.kernels.compiled import compiled

Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@compiled
def first_shown(numbers: Ints, most: int, hidden: Mask, only: Mask) -> Ints:
    """Places of the first `most` numbers that are not hidden; only: mask of those that may be shown, empty: all."""
    found, count = np.empty(min(most, len(numbers)), np.int64), 0
    for place in range(len(numbers)):
        if count == len(found):
            break
        item = numbers[place]
        if not hidden[item] and (len(only) == 0 or (item < len(only) and only[item])):
            found[count] = place
            count += 1
    return found[:count]


@compiled
def distinct(numbers: Ints, slots: Ints32) -> tuple[Ints, Ints]:
    """The distinct numbers in the order in which they come first, and the place of each number among them.

    slots: scratch for all numbers, zeros, and left as such.
    """
    found, places, count = np.empty(len(numbers), np.int64), np.empty(len(numbers), np.int64), 0
    for at in range(len(numbers)):
        item = numbers[at]
        if not slots[item]:
            found[count] = item
            count += 1
            slots[item] = count
        places[at] = slots[item] - 1
    for at in range(count):
        slots[found[at]] = 0
    return found[:count], places


@compiled
def ridge_scores(items: Ints, recent: Ints, recency: Floats, cols: Ints32, ridge: Floats, weights: Floats) -> Floats:
    """`Σ_k recency[k] · ridge[j, i_k]` of each item j over the items i_k of `recent`, float32 [len(items)].

    cols, ridge: [n × K] and [n × R], the ridge weights of the first R neighbours; an item that occurs twice in `recent`
    weighs as where it comes first; weights: scratch [n], zeros, and left as such.
    """
    for k in range(len(recent) - 1, -1, -1):
        weights[recent[k]] = recency[k]
    scores = np.zeros(len(items), np.float32)
    scores[:1] = fetch(items, cols[:, : ridge.shape[1]], ridge) * 0
    for place in range(len(items)):
        item = items[place]
        for col in range(ridge.shape[1]):
            scores[place] += ridge[item, col] * weights[cols[item, col]]
    for k in range(len(recent)):
        weights[recent[k]] = 0
    return scores
