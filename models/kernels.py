"""Loops over single entries that numpy has no expression for, compiled by numba.

A compiled function calls only those of its own file: what is compiled is kept on disk, and numba looks only at the file
of a function to see whether it is still the same, not at those of the functions that it calls.

Sums: each of m · K entries (a neighbour of an item of the history) is added to its item's place in an array over all
items: no branch hangs on the data, so the processor runs ahead. The best are found in a second pass, in which nearly
all entries lose against the weakest of the best so far, and clears what was written; a third finds out who spoke.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., object])
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

NO_MASK: Mask = np.zeros(0, np.bool_)
_FEW = 4096
"""Slots of a hash table of few items: in nearly all cases the last bits of a number tell that it is none of them."""
_LINE = 16
"""Numbers of four bytes in a line of the processor's cache."""


def compiled(function: Function) -> Function:
    """The function as machine code, kept on disk for the next process; it runs without Python's lock."""
    try:
        made = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder to keep it in
        made = njit(nogil=True)(function)
    return cast("Function", made)


@compiled
def _fetch(rows: NDArray[np.int64], cols: NDArray[np.int32], weights: NDArray[np.float32]) -> float:
    """Read a number of each cache line of these rows of two tables of one shape; the sum, for the reads to happen.

    These reads do not wait for each other. Work on row after row does: with a million items, whose rows are never in
    the cache, this takes a fifth off a list.
    """
    total = 0.0
    for row in rows:
        for col in range(0, cols.shape[1], _LINE):
            total += cols[row, col] + weights[row, col]
    return total


@compiled
def _less(value: float, order: int, other: float, other_order: int) -> bool:
    return value < other or (value == other and order > other_order)


@compiled
def _put(values: Floats, order: Ints, owners: Ints, size: int, value: float, at_order: int, owner: int) -> int:
    """Put a value into a heap of `size` values, whose root is the smallest; the size afterwards.

    Of equal values the one with the smaller order is the larger. With no room left it takes the place of the root,
    which must be smaller.
    """
    if size == len(values):
        _sink(values, order, owners, size, value, at_order, owner)
        return size
    place = size
    while place:
        above = (place - 1) // 2
        if not _less(value, at_order, values[above], order[above]):
            break
        values[place], order[place], owners[place] = values[above], order[above], owners[above]
        place = above
    values[place], order[place], owners[place] = value, at_order, owner
    return size + 1


@compiled
def _sink(values: Floats, order: Ints, owners: Ints, size: int, value: float, at_order: int, owner: int) -> None:
    """Put a value in place of the root of `size` values."""
    place = 0
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and _less(values[below + 1], order[below + 1], values[below], order[below]):
            below += 1
        if not _less(values[below], order[below], value, at_order):
            break
        values[place], order[place], owners[place] = values[below], order[below], owners[below]
        place = below
    values[place], order[place], owners[place] = value, at_order, owner


@compiled
def _sort(values: Floats, order: Ints, owners: Ints, size: int) -> None:
    """Turn a heap of `size` values into a list, largest first."""
    for last in range(size - 1, 0, -1):
        value, at_order, owner = values[last], order[last], owners[last]
        values[last], order[last], owners[last] = values[0], order[0], owners[0]
        _sink(values, order, owners, last, value, at_order, owner)


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
    sums[:1] = _fetch(recent, cols, weights) * 0
    for k in range(len(recent)):
        row, share = recent[k], recency[k]
        for col in range(cols.shape[1]):
            sums[cols[row, col]] += weights[row, col] * share
    items, values = _best(recent, cols, hidden, only, most, sums)
    return items, values, _grounds(recent, recency, cols, weights, items[:grounded])


@compiled
def _best(recent: Ints, cols: Ints32, hidden: Mask, only: Mask, most: int, sums: Floats) -> tuple[Ints, Floats]:
    """Items with the largest sums and these; clears `sums`, so that each item is looked at once."""
    values, order = np.empty(most, np.float32), np.empty(most, np.int64)
    items = np.empty(most, np.int64)
    size, bound = 0, np.float32(0 if most else np.inf)
    for k in range(len(recent)):
        row = recent[k]
        for col in range(cols.shape[1]):
            item = cols[row, col]
            value = sums[item]
            sums[item] = 0
            if value > bound:
                if hidden[item] or not (len(only) == 0 or (item < len(only) and only[item])):
                    continue
                size = _put(values, order, items, size, value, k * cols.shape[1] + col, item)
                if size == most:
                    bound = values[0]
    _sort(values, order, items, size)
    return items[:size], values[:size]


@compiled
def _slot(few: NDArray[np.int16], items: Ints, item: int) -> int:
    """Where in a table of places + 1 an item is, or would be put; a slot with 0 is free."""
    slot = item & (_FEW - 1)
    while few[slot] and items[few[slot] - 1] != item:
        slot = (slot + 1) & (_FEW - 1)
    return slot


@compiled
def _grounds(recent: Ints, recency: Floats, cols: Ints32, weights: Floats, items: Ints) -> Ints:
    """For each of a few items the k that adds most to its sum."""
    few = np.zeros(_FEW, np.int16)
    for place in range(len(items)):
        few[_slot(few, items, items[place])] = place + 1
    because, largest = np.full(len(items), -1, np.int64), np.zeros(len(items), np.float32)
    for k in range(len(recent)):
        row, share = recent[k], recency[k]
        for col in range(cols.shape[1]):
            item = cols[row, col]
            if few[item & (_FEW - 1)]:
                place = few[_slot(few, items, item)] - 1
                part = weights[row, col] * share
                if place >= 0 and part > largest[place]:
                    largest[place], because[place] = part, k
    return because


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
    scores[:1] = _fetch(items, cols[:, : ridge.shape[1]], ridge) * 0
    for place in range(len(items)):
        item = items[place]
        for col in range(ridge.shape[1]):
            scores[place] += ridge[item, col] * weights[cols[item, col]]
    for k in range(len(recent)):
        weights[recent[k]] = 0
    return scores


@compiled
def by_basket(recency: Floats, times: Ints) -> Floats:
    """Recencies in which adjacent items of one time share their mean, float32 [n]. recency, times: [n]."""
    shared = np.empty(len(times), np.float32)
    begin = 0
    while begin < len(times):
        end, total = begin, 0.0
        while end < len(times) and times[end] == times[begin]:
            total += recency[end]
            end += 1
        shared[begin:end] = total / (end - begin)
        begin = end
    return shared


@compiled
def all_scores(
    recent: Ints,
    recency: Floats,
    shared: Floats,
    cols: Ints32,
    weights: Floats,
    ridge: Floats,
    hidden: Mask,
    only: Mask,
    most: int,
    grounded: int,
    popular: Ints,
    most_popular: int,
    popularity: NDArray[np.float64],
    others: Ints,
    values: NDArray[np.float64],
    rows: Ints,
    count: int,
    sums: Floats,
    slots: Ints32,
) -> tuple[Ints, Floats, Ints]:
    """The candidates of one user, what each of `count` sources says of them, and who spoke for them.

    Candidates: the `strongest_sums`, the `most_popular` first ones of `popular` that may be shown, and `others`; in
    this order, each once, int64 [C]. Scores, float32 [count × C]: row 0 the sums, row 1 the ridge scores by the
    recencies `shared`, row 2 the popularity of all that have one, and in row `rows[i]` for `others[i]` `values[i]`.
    Grounds as of `strongest_sums`, −1 for all the rest, int64 [C]. Tables, masks and scratch are those of
    `strongest_sums`, `ridge_scores` and `distinct`.
    """
    items, best, grounds = strongest_sums(recent, recency, cols, weights, hidden, only, most, grounded, sums)
    shown = popular[first_shown(popular, most_popular, hidden, only)]
    found, places = distinct(np.concatenate((items, shown, others)), slots)
    scores = np.zeros((count, len(found)), np.float32)
    scores[0, : len(items)] = best
    scores[1] = ridge_scores(found, recent, shared, cols, ridge, sums)
    for place in range(len(found)):
        if found[place] < len(popularity):
            scores[2, place] = popularity[found[place]]
    begin = len(items) + len(shown)
    for at in range(len(others)):
        scores[rows[at], places[begin + at]] = values[at]
    because = np.full(len(found), -1, np.int64)
    because[: len(grounds)] = grounds
    return found, scores, because


@compiled
def near_ratings(
    items: Ints, rated: Ints, values: NDArray[np.float64], cols: Ints32, weights: Floats, slots: Ints32
) -> tuple[NDArray[np.float64], NDArray[np.float64], Ints]:
    """Over the neighbours of each item that are among `rated`: `Σ weight · value`, `Σ weight`, and how many they are.

    cols, weights: [n × K], filled up with weights of 0; values: [len(rated)], of an item that occurs twice the last
    counts; slots: scratch [n], zeros, and left as such.
    """
    for place in range(len(rated)):
        slots[rated[place]] = place + 1
    sums, totals, counts = np.zeros(len(items)), np.zeros(len(items)), np.zeros(len(items), np.int64)
    for at in range(len(items)):
        item = items[at]
        for col in range(cols.shape[1]):
            place, weight = slots[cols[item, col]] - 1, weights[item, col]
            if place >= 0 and weight > 0:
                sums[at] += weight * values[place]
                totals[at] += weight
                counts[at] += 1
    for place in range(len(rated)):
        slots[rated[place]] = 0
    return sums, totals, counts
