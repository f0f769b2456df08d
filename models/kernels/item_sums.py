"""What the neighbours of a user's newest items add up to, item by item.

Each of m · K entries (a neighbour of an item of the history) is added to its item's place in an array over all items:
no branch hangs on the data, so the processor runs ahead. The best are found in a second pass, in which nearly all
entries lose against the weakest of the best so far; a third clears what was written and finds out who spoke for them.
"""

import numpy as np
from numpy.typing import NDArray

from models.kernels.ahead import fetch
from models.kernels.compiled import compiled
from models.kernels.heap import put, sort

Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

NO_MASK: Mask = np.zeros(0, np.bool_)
TAKEN = np.float32(-np.inf)
_FEW = 4096
"""Slots of a hash table of few items: in nearly all cases the last bits of a number tell that it is none of them."""


@compiled
def strongest_sums(
    recent: Ints,
    recency: Floats,
    cols: Ints32,
    weights: Floats,
    hidden: Mask,
    only: Mask,
    most: int,
    grounded: int,
    sums: Floats,
) -> tuple[Ints, Floats, Ints]:
    """The `most` items with the largest `Σ_k recency[k] · weights[recent[k], j]` > 0: their numbers, these sums, and
    for the first `grounded` (few) of them the k that adds most, of equal ones the first. Largest first; of equal sums
    the one that is met first.

    cols, weights: [n × K], filled up with weights of 0; hidden: mask [n] of items that have no sum; only: of those that
    alone have one, empty: all; sums: scratch [n], zeros, and left as such.
    """
    sums[:1] = fetch(recent, cols, weights) * 0
    for k in range(len(recent)):
        row, share = recent[k], recency[k]
        for col in range(cols.shape[1]):
            sums[cols[row, col]] += weights[row, col] * share
    items, values = _best(recent, cols, hidden, only, most, sums)
    return items, values, _grounds(recent, recency, cols, weights, items[:grounded], sums)


@compiled
def _best(recent: Ints, cols: Ints32, hidden: Mask, only: Mask, most: int, sums: Floats) -> tuple[Ints, Floats]:
    """Items with the largest sums and these; the place of each that was looked at closely is `TAKEN` afterwards."""
    values, order = np.empty(most, np.float32), np.empty(most, np.int64)
    items = np.empty(most, np.int64)
    size, bound = 0, np.float32(0)
    for k in range(len(recent)):
        row = recent[k]
        for col in range(cols.shape[1]):
            item = cols[row, col]
            value = sums[item]
            if value > bound:
                sums[item] = TAKEN
                if hidden[item] or not (len(only) == 0 or (item < len(only) and only[item])):
                    continue
                size = put(values, order, items, size, value, k * cols.shape[1] + col, item)
                if size == most:
                    bound = values[0]
    sort(values, order, items, size)
    return items[:size], values[:size]


@compiled
def _slot(few: NDArray[np.int16], items: Ints, item: int) -> int:
    """Where in a table of places + 1 an item is, or would be put; a slot with 0 is free."""
    slot = item & (_FEW - 1)
    while few[slot] and items[few[slot] - 1] != item:
        slot = (slot + 1) & (_FEW - 1)
    return slot


@compiled
def _grounds(recent: Ints, recency: Floats, cols: Ints32, weights: Floats, items: Ints, sums: Floats) -> Ints:
    """For each of a few items the k that adds most to its sum; clears `sums`."""
    few = np.zeros(_FEW, np.int16)
    for place in range(len(items)):
        few[_slot(few, items, items[place])] = place + 1
    because, largest = np.full(len(items), -1, np.int64), np.zeros(len(items), np.float32)
    for k in range(len(recent)):
        row, share = recent[k], recency[k]
        for col in range(cols.shape[1]):
            item = cols[row, col]
            sums[item] = 0
            if few[item & (_FEW - 1)]:
                place = few[_slot(few, items, item)] - 1
                part = weights[row, col] * share
                if place >= 0 and part > largest[place]:
                    largest[place], because[place] = part, k
    return because
