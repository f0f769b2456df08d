"""The pairs that came into histories and went from them, summed: collected, sorted twice by counting, added up."""

import numpy as np

from models.kernels import Ints, compiled


@compiled
def pair_sums(
    items: Ints, starts: Ints, old: Ints, left: Ints, weights: Ints, size: int
) -> tuple[Ints, Ints, Ints, Ints]:
    """What changed histories add for each pair of items at most `len(weights)` places apart, and for each item.

    items, starts, old, left: as in `models.cooccurrence.Sequences`, with items below `size`; weights: of a pair by the
    places between its items. A pair comes if its later item is new and its earlier one stayed; it goes if its earlier
    item left and both were there before.

    Returns a symmetric CSR matrix without zeros, (indptr [size + 1], columns, ascending in each row, values), and by
    how many users each item has more, [size].
    """
    window, users, count = len(weights), np.zeros(size, np.int64), 0
    ends = np.append(starts[1:], len(items))
    for user in range(len(starts)):
        for later in range(max(old[user], left[user]), ends[user] - starts[user]):
            count += 2 * (later - max(left[user], later - window))
        for first in range(min(old[user], left[user])):
            count += 2 * (min(old[user], first + 1 + window) - first - 1)
    rows, cols, values = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    at = 0
    for user in range(len(starts)):
        history = items[starts[user] : ends[user]]
        for later in range(max(old[user], left[user]), len(history)):
            users[history[later]] += 1
            for earlier in range(max(left[user], later - window), later):
                rows[at], cols[at], values[at] = history[later], history[earlier], weights[later - earlier - 1]
                at += 1
        for first in range(min(old[user], left[user])):
            users[history[first]] -= 1
            for second in range(first + 1, min(old[user], first + 1 + window)):
                rows[at], cols[at], values[at] = history[first], history[second], -weights[second - first - 1]
                at += 1
    rows[at:], cols[at:], values[at:] = cols[:at], rows[:at], values[:at]
    order = _by(rows, size, _by(cols, size, np.arange(count)))
    return (*_summed(rows, cols, values, order, size), users)


@compiled
def _by(numbers: Ints, size: int, order: Ints) -> Ints:
    """The places `order`, those with the smallest number first; where numbers are equal they stay in this order."""
    nexts, found = np.zeros(size + 1, np.int64), np.empty(len(order), np.int64)
    for number in numbers:
        nexts[number + 1] += 1
    nexts = np.cumsum(nexts)
    for place in order:
        found[nexts[numbers[place]]] = place
        nexts[numbers[place]] += 1
    return found


@compiled
def _summed(rows: Ints, cols: Ints, values: Ints, order: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """Entries in this order, equal ones next to each other, as a CSR matrix."""
    indptr, columns, sums = np.zeros(size + 1, np.int64), np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    at, count = 0, 0
    while at < len(order):
        row, col, total = rows[order[at]], cols[order[at]], 0
        while at < len(order) and rows[order[at]] == row and cols[order[at]] == col:
            total += values[order[at]]
            at += 1
        if total:
            columns[count], sums[count] = col, total
            indptr[row + 1] += 1
            count += 1
    return np.cumsum(indptr), columns[:count], sums[:count]
