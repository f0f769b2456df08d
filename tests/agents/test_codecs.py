"""Packed and public records: round trips, versions, and bytes that are neither."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import packed, records
from agents.errors import RecordError
from agents.packed import CANDIDATES, PROFILE, PackedCodec, pack_floats, pack_ints, unpack_floats, unpack_ints
from agents.records import JsonReader, check_id
from models.history import History
from models.profile import Profile

CODECS = [value for value in vars(packed).values() if isinstance(value, PackedCodec)]
READERS = [value for value in vars(records).values() if isinstance(value, JsonReader)]


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_integers_come_back(values: list[int]) -> None:
    assert unpack_ints(pack_ints(np.array(values, np.int64))).tolist() == values


@pytest.mark.parametrize(("most", "size"), [(127, 1), (128, 2), (2**15, 4), (2**31, 8)])
def test_integers_take_the_narrowest_width(most: int, size: int) -> None:
    assert len(pack_ints(np.array([0, most]))) == 1 + 2 * size


def test_floats_come_back() -> None:
    assert unpack_floats(pack_floats(np.array([0.5, -1.25]))).tolist() == [0.5, -1.25]


def test_a_row_comes_back_and_says_its_version() -> None:
    profile = Profile(contacts=History.of({"a": 5}), interests={"tea": 0.5}, attributes={"age": "25-34", "new": True})
    written = PROFILE.write(profile)
    assert written[0] == packed.VERSION
    assert PROFILE.read(written) == profile


@pytest.mark.parametrize(
    "value", [b"", b"\x00", b"\x63\x90", bytes([packed.VERSION]), b"\x01\xc1", b"\x01\x91\xa1\xff"]
)
def test_what_is_not_ours_is_an_error_with_a_reason(value: bytes) -> None:
    with pytest.raises(RecordError, match=r"bad_version|bad_packed"):
        CANDIDATES.read(value)


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_do_more_than_be_refused(value: bytes, versioned: bool) -> None:
    assert len(CODECS) == 11
    assert len(READERS) == 8
    for codec in CODECS:
        with contextlib.suppress(RecordError):
            codec.read(bytes([packed.VERSION]) + value if versioned else value)
    for reader in READERS:
        with contextlib.suppress(RecordError):
            reader(value)


@pytest.mark.parametrize("value", ["商品 1", "a b", "ümlaut", "🙂"])
def test_any_printable_id_is_good(value: str) -> None:
    check_id(value, "item_id")


@pytest.mark.parametrize("value", ["a\n", "\x00", "a\x7f", "a\x9b", "ü" * 200])
def test_ids_with_control_characters_or_many_bytes_are_not(value: str) -> None:
    with pytest.raises(RecordError, match="bad_id: item_id"):
        check_id(value, "item_id")
