"""What a dead letter says, and when bad records are too many."""

import hashlib

from agents.errors import RecordError
from agents.runtime.dead_letters import MOST_VALUE_BYTES, RowOfBadRecords, dead_letter
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
