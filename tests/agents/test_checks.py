"""Packed records whose arrays do not fit each other are refused before anyone calculates with them."""

import contextlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.checks import MOST, read_co_counts, read_neighbours
from agents.errors import RecordError
from agents.item_rows import PartitionRows
from agents.knowledge import Knowledge
from agents.packed import CO_COUNTS, NEIGHBOURS, CoCounts, Neighbours, pack_floats, pack_ints
from agents.settings import read_settings
from models.interning import Interner
from models.neighbour_table import NeighbourTable
from tests.agents.test_damaged import damaged


def ints(*values: int) -> bytes:
    return pack_ints(np.array(values, np.int64))


CHANGE = CoCounts(2, ["a", "b"], ints(0, 1), ints(1, 1), ints(1, 0), ints(1, 1), ints(9, 9), ints(1, 1), ints(1, 1))
SEGMENTS = {"fr": (ints(1), ints(3))}
RATINGS = (ints(1), ints(-4_500), ints(-1))
ROW = Neighbours(
    ["b", "c"],
    pack_floats(np.array([1.0, 0.5])),
    ints(1, 2),
    ints(3, 4),
    3,
    4,
    0.5,
    1.0,
    {"fr": 0.5},
    pack_floats(np.array([0.25])),
)


@pytest.mark.parametrize(
    "damage",
    [
        {"weights": b"\0" * 7},
        {"weights": pack_floats(np.array([1.0]))},
        {"weights": pack_floats(np.array([1.0, np.nan]))},
        {"g": b""},
        {"g": b"\x07\0\0"},
        {"c": ints(1)},
        {"ids": ["b"]},
        {"users": MOST},
        {"clock": float("inf")},
        {"segments": {"fr": float("nan")}},
        {"ridge": b"\0" * 5},
        {"ridge": pack_floats(np.zeros(3))},
        {"ridge": pack_floats(np.array([np.inf]))},
        {"rating_sum": MOST},
        {"raters": -MOST},
    ],
)
def test_neighbours_that_do_not_fit_are_refused(damage: dict[str, object]) -> None:
    assert read_neighbours(NEIGHBOURS.write(ROW)) == ROW
    with pytest.raises(RecordError, match="bad_packed: Neighbours"):
        read_neighbours(NEIGHBOURS.write(msgspec.structs.replace(ROW, **damage)))


@pytest.mark.parametrize(
    "damage",
    [
        {"rows": ints(0, 2)},
        {"rows": ints(0, -1)},
        {"rows": ints(0)},
        {"lengths": ints(1, 2)},
        {"lengths": ints(3, -1)},
        {"lengths": b""},
        {"cols": ints(1, 2)},
        {"cols": ints(1)},
        {"g": b"\x03\0"},
        {"c": ints(9)},
        {"users": ints(1)},
        {"popularity": b"\x02\0"},
        {"events": -1},
        {"segments": {"fr": (ints(2), ints(1))}},
        {"segments": {"fr": (ints(0), ints(1, 1))}},
        {"ratings": (ints(2), ints(1), ints(1))},
        {"ratings": (ints(0, 0), ints(1, 1), ints(1, 1))},
        {"ratings": (ints(0), ints(1, 1), ints(1))},
        {"ratings": (ints(0), ints(1), ints())},
        {"ratings": (ints(0), ints(1), ints(1 << 40))},
        {"ratings": (b"", ints(1), ints(1))},
    ],
)
def test_co_counts_that_do_not_fit_are_refused(damage: dict[str, object]) -> None:
    good = msgspec.structs.replace(CHANGE, segments=SEGMENTS, ratings=RATINGS)
    assert read_co_counts(CO_COUNTS.write(good)) == good
    with pytest.raises(RecordError, match="bad_packed: CoCounts"):
        read_co_counts(CO_COUNTS.write(msgspec.structs.replace(good, **damage)))


@given(st.data())
def test_damaged_neighbours_are_refused_or_can_be_used(data: st.DataObject) -> None:
    table = NeighbourTable(Interner(), 10, ridge=2)
    with contextlib.suppress(RecordError):
        row = read_neighbours(damaged(data, NEIGHBOURS.write(ROW)))
        weights, ridge = np.frombuffer(row.weights, "<f4"), np.frombuffer(row.ridge, "<f4")
        ratings = (row.rating_sum, row.raters)
        table.update("a", row.ids, weights, row.popularity, row.clock, row.segments, ridge, ratings)


@given(st.data())
def test_damaged_co_counts_are_refused_or_can_be_absorbed(data: st.DataObject) -> None:
    value = CO_COUNTS.write(msgspec.structs.replace(CHANGE, segments=SEGMENTS, ratings=RATINGS))
    with contextlib.suppress(RecordError):
        change = read_co_counts(damaged(data, value))
        rows = PartitionRows([], 100.0)
        rows.absorb([change], lambda keys: [None] * len(keys), lambda *_: None, lambda _rows, _numbers, cut: cut)


def test_the_views_refuse_them(tmp_path: Path) -> None:
    value = NEIGHBOURS.write(msgspec.structs.replace(ROW, weights=b"\0"))
    view = Knowledge(read_settings(data_dir=tmp_path)).views[0]
    with pytest.raises(RecordError, match="bad_packed"):
        view._decode(b"a", value)
