"""Features of a list, packed and read again."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.features import Features, pack_features

NAMES = st.sampled_from(["item_cf", "ridge", "popular", "bert"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ROUNDED = st.floats(-20_000, 20_000).map(lambda number: round(number, 5))
EDGES = st.sampled_from([21474.83647, 21474.836479, 21474.83648, -21474.83648, -0.0])
SAME_NAMES = st.fixed_dictionaries({"item_cf": ROUNDED | EDGES, "ridge": ROUNDED | FINITE})
ROWS = st.one_of(
    *(st.lists(of, max_size=5) for of in (st.dictionaries(NAMES, FINITE), st.dictionaries(NAMES, ROUNDED), SAME_NAMES))
)


def packed(*rows: dict[str, float]) -> Features:
    (features,) = pack_features([rows])
    return features


@given(ROWS)
def test_what_is_packed_is_read_exactly(rows: list[dict[str, float]]) -> None:
    wire = msgspec.msgpack.encode(packed(*rows))
    read = msgspec.msgpack.decode(wire, type=Features)
    assert read.fit(len(rows))
    assert read.of(range(len(rows))) == rows
    places = list(range(0, len(rows), 2))
    expected = {name for place in places for name in rows[place]}
    columns = dict(read.columns(places))
    assert columns == {name: [rows[place].get(name) for place in places] for name in expected}


@given(st.lists(ROWS, max_size=4))
def test_a_list_is_packed_as_if_it_were_alone(lists: list[list[dict[str, float]]]) -> None:
    assert pack_features(lists) == [packed(*rows) for rows in lists]


def test_what_the_ranker_tells_takes_four_bytes_and_other_numbers_eight() -> None:
    assert len(packed({"popular": 0.12345}, {}).packed) == 1 + 2 * 4
    assert len(packed({"popular": 0.123456}, {}).packed) == 1 + 2 * 8
    assert len(packed({"history_length": 10_000.0}).packed) == 1 + 4
    assert len(packed({"history_length": 1e300}).packed) == 1 + 8


def test_what_is_not_finite_counts_as_lacking() -> None:
    features = packed({"popular": math.inf, "ridge": 1.0}, {"popular": math.nan, "ridge": -math.inf})
    assert features.of([0, 1]) == [{"ridge": 1.0}, {}]


@pytest.mark.parametrize(
    ("names", "packed"),
    [
        ([], b""),
        ([], b"\x05"),
        ([], b"\x04\0"),
        (["a"], b"\x04\0\0"),
        (["a", "b"], b"\x04" + bytes(4)),
        (["a"], b"\x08" + b"\0\0\0\0\0\0\xf0\x7f"),  # infinite
    ],
)
def test_damaged_ones_are_refused(names: list[str], packed: bytes) -> None:
    wire = msgspec.msgpack.encode([names, packed])
    with pytest.raises(msgspec.ValidationError, match="feature"):
        msgspec.msgpack.decode(wire, type=Features)


def test_a_row_for_each_item() -> None:
    assert packed({"a": 1.0}, {"a": 2.0}).fit(2)
    assert not packed({"a": 1.0}, {"a": 2.0}).fit(3)
    assert Features().fit(3)
