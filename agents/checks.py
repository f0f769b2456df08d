"""Packed records of topics, read and checked: their arrays must fit each other before anyone calculates with them."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from agents.errors import RecordError
from agents.packed import (
    CO_COUNTS,
    NEIGHBOURS,
    ROW_BODY,
    CoCounts,
    Neighbours,
    RowBody,
    unpack_floats,
    unpack_ints,
)
from models.cooccurrence import C_LIMIT, G_LIMIT

MOST_COUNT = 1 << 40
"""More than one message can count, and so little that sums of many stay in an int64."""
MOST = 1 << 62
"""No count of ours is larger; what is would overflow the arrays it goes into."""


def read_neighbours(value: bytes) -> Neighbours:
    """A record of `neighbours`. Raises `RecordError` (`bad_version`, `bad_packed`)."""
    row = NEIGHBOURS.read(value)
    try:
        weights, count = unpack_floats(row.weights), len(row.ids)
        fits = len(weights) == len(unpack_ints(row.g)) == len(unpack_ints(row.c)) == count
        ridge = unpack_floats(row.ridge)
        fits &= len(ridge) <= count
    except (ValueError, IndexError, KeyError) as exc:
        raise _bad(row, str(exc)) from exc
    if not fits:
        raise _bad(row, "arrays and ids differ in length")
    numbers = (row.popularity, row.clock, *row.segments.values())
    finite = np.isfinite(weights).all() and np.isfinite(ridge).all()
    if not (
        finite and all(map(math.isfinite, numbers)) and _all_small((row.users, row.c_sum, row.rating_sum, row.raters))
    ):
        raise _bad(row, "a number is out of range")
    return row


def read_co_counts(value: bytes) -> CoCounts:
    """A record of `cooccurrence`. Raises `RecordError` (`bad_version`, `bad_packed`)."""
    change = CO_COUNTS.read(value)
    try:
        _check_co_counts(change)
    except (ValueError, IndexError, KeyError) as exc:
        raise _bad(change, str(exc)) from exc
    return change


def read_row_body(value: bytes) -> tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]]:
    """Steps of the columns, G and C of a `RowBody`. Raises `RecordError` (`bad_version`, `bad_packed`)."""
    body = ROW_BODY.read(value)
    try:
        cols, g, c = unpack_ints(body.cols), unpack_ints(body.g), unpack_ints(body.c)
    except (ValueError, IndexError, KeyError) as exc:
        raise _bad(body, str(exc)) from exc
    if not len(cols) == len(g) == len(c):
        raise _bad(body, "arrays differ in length")
    if len(cols) and (int(cols[0]) < 0 or (len(cols) > 1 and int(cols[1:].min()) < 1)):
        raise _bad(body, "columns do not ascend")
    return cols, g, c


def _check_co_counts(change: CoCounts) -> None:
    rows, lengths, cols = unpack_ints(change.rows), unpack_ints(change.lengths), unpack_ints(change.cols)
    of_rows = (lengths, unpack_ints(change.users), unpack_ints(change.popularity))
    entries = int(lengths.sum(dtype=np.int64))
    of_entries = (cols, unpack_ints(change.g), unpack_ints(change.c))
    if any(len(array) != len(rows) for array in of_rows) or any(len(array) != entries for array in of_entries):
        raise _bad(change, "arrays differ in length")
    if not (_small(of_rows[1], MOST_COUNT) and _below(of_rows[2], MOST_COUNT)):
        raise _bad(change, "a count is out of range")
    if not (_small(of_entries[1], G_LIMIT) and _small(of_entries[2], C_LIMIT)):
        raise _bad(change, "a co-count is out of range")
    if not (_below(rows, len(change.ids)) and _below(cols, len(change.ids)) and _below(lengths, entries + 1)):
        raise _bad(change, "a place is outside the ids")
    if not 0 <= change.events < MOST_COUNT:
        raise _bad(change, "a number is out of range")
    for places, events in change.segments.values():
        where, counts = unpack_ints(places), unpack_ints(events)
        if len(counts) != len(where) or not (_below(where, len(rows)) and _below(counts, MOST_COUNT)):
            raise _bad(change, "a segment does not fit the rows")
    if change.ratings is not None:
        where, *numbers = map(unpack_ints, change.ratings)
        if any(len(array) != len(where) or not _small(array, MOST_COUNT) for array in numbers):
            raise _bad(change, "a rating is out of range")
        if not _below(where, len(rows)) or len(np.unique(where)) < len(where):
            raise _bad(change, "ratings do not fit the rows")


def _below(values: NDArray[np.integer], limit: int) -> bool:
    return not len(values) or bool(0 <= int(values.min()) <= int(values.max()) < limit)


def _small(values: NDArray[np.integer], limit: int) -> bool:
    return not len(values) or bool(-limit < int(values.min()) <= int(values.max()) < limit)


def _all_small(values: Iterable[int]) -> bool:
    return all(-MOST < value < MOST for value in values)


def _bad(record: CoCounts | Neighbours | RowBody, what: str) -> RecordError:
    return RecordError("bad_packed", f"{type(record).__name__}: {what}")
