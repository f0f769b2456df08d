"""What a dead letter says, and when bad records are too many."""

import hashlib

from agents.errors import RecordError
from agents.runtime.dead_letters import (
    MOST_VALUE_BYTES,
    BadRecordLimits,
    RowOfBadRecords,
    ShareOfBadRecords,
    dead_letter,
)
from tests.agents.runtime.test_positions import Rec

ERROR = RecordError("bad_field", "k must be positive")


def test_it_keeps_the_bytes_and_says_where_when_and_why() -> None:
    letter = dead_letter(Rec("events", 3, 17, 99, b"key", b"\xff"), ERROR, now_ms=123)
    assert (letter.key, letter.value) == (b"key", b"\xff")
    assert dict(letter.headers) == {
        "topic": b"events",
        "partition": b"3",
        "offset": b"17",
        "timestamp_ms": b"99",
        "reason": b"bad_field",
        "detail": b"k must be positive",
        "failed_at_ms": b"123",
    }


def test_null_stays_null_and_a_traceback_keeps_its_end() -> None:
    letter = dead_letter(Rec("events", 0, 0, value=None, key=None), ERROR, 0, "x" * 100_000 + "the end")
    assert letter.value is None
    assert dict(letter.headers)["traceback"].endswith(b"the end")


def test_a_long_value_is_cut_with_length_and_hash() -> None:
    value = b"x" * (MOST_VALUE_BYTES + 1)
    letter = dead_letter(Rec("events", 0, 0, value=value), ERROR, 0)
    headers = dict(letter.headers)
    assert len(letter.value or b"") == MOST_VALUE_BYTES
    assert headers["length"] == str(len(value)).encode()
    assert headers["sha256"] == hashlib.sha256(value).hexdigest().encode()


def test_only_an_unbroken_row_of_bad_records_reaches_the_limit() -> None:
    row = RowOfBadRecords(limit=5)
    assert not row.add(bad=4, all_records=4)
    assert not row.add(bad=4, all_records=5)
    assert not row.add(bad=4, all_records=4)
    assert row.add(bad=1, all_records=1)


def test_the_record_s_own_headers_are_kept_and_what_does_not_fit_is_counted() -> None:
    small, large = ("reason", b"why"), ("large", b"x" * 9_000)
    letter = dead_letter(Rec("events", 0, 0, headers=(small, large, ("after", b""))), ERROR, 0)
    headers = dict(letter.headers)
    assert headers["original.reason"] == b"why"
    assert headers["reason"] == b"bad_field"
    assert headers["headers_left_out"] == b"2"


def test_a_long_key_is_cut_with_its_length() -> None:
    letter = dead_letter(Rec("events", 0, 0, key=b"k" * 10_001), ERROR, 0)
    assert (letter.key, dict(letter.headers)["key_length"]) == (b"k" * 10_000, b"10001")


def test_the_share_counts_among_the_newest_records_and_not_before_there_are_enough() -> None:
    share = ShareOfBadRecords(limit=0.5, window=10)
    assert not share.add(bad=9, all_records=9)
    assert share.add(bad=0, all_records=1)
    assert share.add(bad=0, all_records=8)
    assert not share.add(bad=0, all_records=1)
    assert not share.add(bad=4, all_records=9)
    assert share.add(bad=6, all_records=6)


def test_limits_can_be_switched_off() -> None:
    off = BadRecordLimits(0, 0.0, 1)
    assert off.add(bad=1_000_000, all_records=1_000_000) is None
    row_only, share_only = BadRecordLimits(5, 0.0, 1), BadRecordLimits(0, 1.0, 5)
    assert row_only.add(5, 5) == ("5 bad records in a row", "PROFILESTREAM_DEAD_LETTERS_IN_ROW")
    assert share_only.add(5, 5) == (
        "100% of the newest 5 records or more are bad",
        "PROFILESTREAM_DEAD_LETTERS_SHARE",
    )
