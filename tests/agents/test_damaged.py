"""Records of ours that were damaged on the way: every byte may change, nothing but `RecordError` may come of it."""

import contextlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.errors import RecordError
from agents.packed import (
    CANDIDATES,
    CO_COUNTS,
    NEIGHBOURS,
    PROFILE,
    ROW_BODY,
    ROW_HEAD,
    Candidates,
    CoCounts,
    Neighbours,
    PackedCodec,
    RowBody,
    RowHead,
    pack_floats,
    pack_ints,
    unpack_ints,
)
from agents.records import (
    Event,
    Item,
    Outcome,
    RankedItem,
    Recommendation,
    Request,
    User,
    encode_json,
    read_event,
    read_item,
    read_outcome,
    read_recommendation,
    read_request,
    read_user,
)
from models.features import pack_features
from models.history import History
from models.profile import EarlyAction, ListInFlight, Profile

INTS, FLOATS = pack_ints(np.array([0, 300])), pack_floats(np.array([1.0, 0.5]))
LEAST, MOST = -(2**63), 2**63 - 1
PACKED: list[tuple[PackedCodec[Any], msgspec.Struct]] = [
    (
        PROFILE,
        Profile(
            History.of({"a": 5}), 1, 2, {"tea": 0.5}, ["red mug"], {"age": 30.0, "new": True}, ["tea"], ["b"], ["id"],
            [ListInFlight("one", ["a"], pack_features([[{"popular": 1.0}]])[0], 1, 2)],
            [EarlyAction("two", "a", "click", 3)],
        ),
    ),
    (CO_COUNTS, CoCounts(1, ["a", "b"], INTS, INTS, INTS, INTS, INTS, INTS, INTS, {"fr": (INTS, INTS)})),
    (ROW_HEAD, RowHead(1, 2, 3, 0.5, 4.0, {"fr": (0.5, 1.0)})),
    (ROW_BODY, RowBody(INTS, INTS, INTS)),
    (NEIGHBOURS, Neighbours(["a", "b"], FLOATS, INTS, INTS, 3, 4, 0.5, 1.0, {"fr": 0.5}, FLOATS)),
    (
        CANDIDATES,
        Candidates("u", "r", ["r"], None, 10, 1, 0, ["a"], ["a"], ["b", "c"], ["item_cf"], FLOATS, INTS, 1, "mug"),
    ),
]  # fmt: skip
PUBLIC: list[tuple[Any, msgspec.Struct]] = [
    (read_event, Event("u", "rate", "a", 1.5, 4.0, event_id="e", recommendation_id="r")),
    (read_item, Item("a", "Mug", "red", ["cups"], ["red"], 1.5)),
    (read_user, User("u", {"age": 30.0, "new": True, "land": "fr"}, ["tea"], consent=False)),
    (read_request, Request("u", "r", 5, deadline_ms=100)),
    (
        read_recommendation,
        Recommendation("r", "u", [RankedItem("a", 1.0, "popular", sources={"popular": 1.0})], ["r"], 1.5),
    ),
    (read_outcome, Outcome("u", "r", "bought", 1.5, "a", 0)),
]


def damaged(data: st.DataObject, value: bytes) -> bytes:
    """The value with some bytes replaced, taken away or put in."""
    place = data.draw(st.integers(0, len(value)), "place")
    gone = data.draw(st.integers(0, 4), "gone")
    return value[:place] + data.draw(st.binary(max_size=4), "put in") + value[place + gone :]


@pytest.mark.parametrize(("codec", "record"), PACKED)
def test_packed_records_come_back_whole(codec: PackedCodec[Any], record: msgspec.Struct) -> None:
    assert codec.read(codec.write(record)) == record


@pytest.mark.parametrize(("reader", "record"), PUBLIC)
def test_public_records_come_back_whole(reader: Any, record: msgspec.Struct) -> None:
    assert reader(encode_json(record)) == record


@pytest.mark.parametrize(("codec", "record"), PACKED)
@given(data=st.data())
def test_a_damaged_packed_record_is_refused_or_read(
    codec: PackedCodec[Any], record: msgspec.Struct, data: st.DataObject
) -> None:
    with contextlib.suppress(RecordError):
        codec.write(codec.read(damaged(data, codec.write(record))))


@pytest.mark.parametrize(("reader", "record"), PUBLIC)
@given(data=st.data())
def test_a_damaged_public_record_is_refused_or_read(reader: Any, record: msgspec.Struct, data: st.DataObject) -> None:
    with contextlib.suppress(RecordError):
        encode_json(reader(damaged(data, encode_json(record))))


@pytest.mark.parametrize(("codec", "record"), PACKED)
@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_named(codec: PackedCodec[Any], record: msgspec.Struct, version: int) -> None:
    with pytest.raises(RecordError, match=f"version {version:02x}") as caught:
        codec.read(bytes([version]) + codec.write(record)[1:])
    assert caught.value.reason == "bad_version"


@pytest.mark.parametrize(("codec", "record"), PACKED)
def test_a_cut_record_is_not_readable(codec: PackedCodec[Any], record: msgspec.Struct) -> None:
    with pytest.raises(RecordError, match="bad_packed"):
        codec.read(codec.write(record)[:-1])


@example([LEAST, MOST])
@example([LEAST])
@example([MOST])
@example([-128, 127])
@example([-129])
@example([])
@given(st.lists(st.integers(LEAST, MOST)))
def test_integers_come_back_from_any_width(values: list[int]) -> None:
    packed = pack_ints(np.array(values, np.int64))
    assert unpack_ints(packed).tolist() == values
    assert len(packed) == 1 + packed[0] * len(values)
