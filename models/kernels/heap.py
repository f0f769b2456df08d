"""The largest of many values that come one after the other: a heap whose root is the smallest that is kept.

A heap is three arrays of one length, the room: values, their order (of equal values the one with the smaller order is
the larger), and what they belong to.
"""

import numpy as np
from numpy.typing import NDArray

from models.kernels.compiled import compiled

Values = NDArray[np.float32]
Ints = NDArray[np.int64]


@compiled
def _less(value: float, order: int, other: float, other_order: int) -> bool:
    return value < other or (value == other and order > other_order)


@compiled
def put(values: Values, order: Ints, owners: Ints, size: int, value: float, at_order: int, owner: int) -> int:
    """Put a value into a heap of `size` values; when there is no room, in place of the root. The size afterwards.

    With no room the value must be larger than the root.
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
def _sink(values: Values, order: Ints, owners: Ints, size: int, value: float, at_order: int, owner: int) -> None:
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
def sort(values: Values, order: Ints, owners: Ints, size: int) -> None:
    """Turn a heap of `size` values into a list, largest first."""
    for last in range(size - 1, 0, -1):
        value, at_order, owner = values[last], order[last], owners[last]
        values[last], order[last], owners[last] = values[0], order[0], owners[0]
        _sink(values, order, owners, last, value, at_order, owner)
