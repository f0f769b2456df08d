"""The same work as `profile_update`, a batch at a time: maps of items in Python, vectors of all users in numpy.

A row is the vector (float64) and behind it the map of items in msgpack.
"""

from collections.abc import Sequence
from heapq import heapify, heapreplace
from itertools import count
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.profile_update import CATEGORIES, KEPT, MAX_ITEMS, WEIGHT, category_of

VECTOR_BYTES = CATEGORIES * 8
NO_ROW = bytes(VECTOR_BYTES) + msgspec.msgpack.encode({})


class Event(msgspec.Struct, gc=False):
    """What the work needs of an event."""

    item_id: str
    event_type: Literal["view", "click", "cart", "purchase"]


class Answer(msgspec.Struct, gc=False):
    """What is sent for each event."""

    user_id: str
    n_items: int
    top_category: int


_decode_events = msgspec.json.Decoder(list[Event]).decode
_decode_items = msgspec.msgpack.Decoder(dict[str, float]).decode
_encode_items = msgspec.msgpack.Encoder().encode


class _Categories(dict[str, int]):
    """Category of each item that was ever seen."""

    def __missing__(self, item: str) -> int:
        self[item] = category = category_of(item)
        return category


_categories = _Categories()


class _FullMap:
    """Drops the item of least weight for a new one; of several the oldest, which is the first in the map.

    Weights only grow: one that has grown since it was put into the queue is put right when it comes first.
    """

    __slots__ = ("_ages", "_items", "_queue")

    def __init__(self, items: dict[str, float]) -> None:
        self._items, self._ages = items, count(len(items))
        self._queue = [(weight, age, item) for age, (item, weight) in enumerate(items.items())]
        heapify(self._queue)

    def exchange(self, item: str, weight: float) -> None:
        """Add an item, then drop the least, which may be the new one."""
        items, queue = self._items, self._queue
        noted, age, least = queue[0]
        while noted != items[least]:
            heapreplace(queue, (items[least], age, least))
            noted, age, least = queue[0]
        if noted <= weight:
            heapreplace(queue, (weight, next(self._ages), item))
            del items[least]
            items[item] = weight


def read_events(values: Sequence[bytes]) -> list[Event]:
    """Events of a batch, in one call. Raises `msgspec.DecodeError` if one of them is bad."""
    return _decode_events(b"[" + b",".join(values) + b"]")


def fold(
    rows: Sequence[bytes | None], who: Sequence[int], events: Sequence[Event]
) -> tuple[list[bytes], list[int], list[int]]:
    """Fold events into the rows of their users: new rows; for each event the number of items and the top category.

    `who` has the place in `rows` of each event's user.
    """
    known = [NO_ROW if row is None else row for row in rows]
    maps = [_decode_items(memoryview(row)[VECTOR_BYTES:]) for row in known]
    vectors = np.frombuffer(b"".join([row[:VECTOR_BYTES] for row in known])).reshape(-1, CATEGORIES)
    full: dict[int, _FullMap] = {}
    counts, weights, categories = [], [], []
    for place, event in zip(who, events, strict=True):
        items, item, weight = maps[place], event.item_id, WEIGHT[event.event_type]
        if item in items:
            items[item] += weight
        elif len(items) < MAX_ITEMS:
            items[item] = weight
        else:
            if place not in full:
                full[place] = _FullMap(items)
            full[place].exchange(item, weight)
        counts.append(len(items))
        weights.append(weight)
        categories.append(_categories[item])
    averaged, tops = average(vectors, np.array(who), np.array(categories), np.array(weights))
    packed = averaged.tobytes()
    new = [
        packed[start : start + VECTOR_BYTES] + _encode_items(items)
        for start, items in zip(range(0, len(packed), VECTOR_BYTES), maps, strict=True)
    ]
    return new, counts, tops.tolist()


def average(
    vectors: NDArray[np.float64], who: NDArray[np.int64], categories: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vectors [users, categories] after all events [n], and the greatest category after each.

    In rounds: the first event of all users, then the second of those who have two, and so on. The busiest users come
    first, so that those of a round are the beginning of the matrix.
    """
    users, n = len(vectors), len(who)
    events_of = np.bincount(who, minlength=users)
    busiest = np.argsort(-events_of, kind="stable")
    row_of = np.empty(users, np.int64)
    row_of[busiest] = np.arange(users)
    rows = row_of[who]
    by_row = np.argsort(rows, kind="stable")
    sizes = events_of[busiest]
    rounds = np.empty(n, np.int64)
    rounds[by_row] = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    order = np.lexsort((rows, rounds))
    cells = (rows * CATEGORIES + categories)[order]
    gains = ((1 - KEPT) * weights)[order]
    matrix = vectors[busiest]
    flat = matrix.reshape(-1)
    found = np.empty(n, np.int64)
    start = 0
    for size in np.bincount(rounds).tolist():
        active, end = matrix[:size], start + size
        active *= KEPT
        flat[cells[start:end]] += gains[start:end]
        active.argmax(axis=1, out=found[start:end])
        start = end
    tops = np.empty(n, np.int64)
    tops[order] = found
    return matrix[row_of], tops
