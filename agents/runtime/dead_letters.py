"""Bad records as they go to the dead-letter topic: original key and bytes, and where, when and why in headers.

A limit says when bad records are so many that a producer must be broken; then the worker stops.
"""

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from agents.errors import RecordError
from agents.runtime.batch import Record

MOST_VALUE_BYTES = 1_000_000
"""Longer values are cut; their whole length and hash are in the headers."""
MOST_DETAIL_BYTES = 2_000
MOST_TRACEBACK_BYTES = 8_000
MOST_KEY_BYTES = 10_000
"""Longer keys are cut; their whole length is in the headers."""
MOST_HEADER_BYTES = 8_000
"""Headers of the record beyond this are left out; how many is in the headers."""
ORIGINAL = "original."
"""Put before the names of the record's own headers."""


@dataclass(frozen=True)
class DeadLetter:
    """One record of the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def dead_letter(record: Record, error: RecordError, now_ms: int, traceback: str = "") -> DeadLetter:
    """The dead letter of a bad record."""
    value = record.value
    headers = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp_ms": str(record.timestamp),
        "reason": error.reason,
        "detail": error.detail,
        "failed_at_ms": str(now_ms),
    }
    if traceback:
        headers["traceback"] = traceback[-MOST_TRACEBACK_BYTES:]
    if value is not None and len(value) > MOST_VALUE_BYTES:
        headers["length"] = str(len(value))
        headers["sha256"] = hashlib.sha256(value).hexdigest()
        value = value[:MOST_VALUE_BYTES]
    key = record.key
    if key is not None and len(key) > MOST_KEY_BYTES:
        headers["key_length"] = str(len(key))
        key = key[:MOST_KEY_BYTES]
    kept = _that_fit(record.headers)
    if len(kept) < len(record.headers):
        headers["headers_left_out"] = str(len(record.headers) - len(kept))
    packed = [
        (name, text.encode("utf-8", "replace")[: MOST_DETAIL_BYTES if name == "detail" else None])
        for name, text in headers.items()
    ]
    return DeadLetter(key, value, packed + [(ORIGINAL + name, content) for name, content in kept])


def _that_fit(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The first headers, as many as `MOST_HEADER_BYTES` hold."""
    kept, left = [], MOST_HEADER_BYTES
    for name, content in headers:
        left -= len(name.encode()) + len(content or b"")
        if left < 0:
            break
        kept.append((name, content))
    return kept


class RowOfBadRecords:
    """Counts bad records in a row: very many of them mean a broken producer, not bad records."""

    def __init__(self, limit: int) -> None:
        """`limit` 0: there is none."""
        self._limit = limit
        self._count = 0

    def add(self, bad: int, all_records: int) -> bool:
        """Note one batch; True: the limit is reached."""
        self._count = self._count + bad if bad == all_records else 0
        return 0 < self._limit <= self._count


class ShareOfBadRecords:
    """The share of bad records among the newest: good ones in between do not hide a broken producer."""

    def __init__(self, limit: float, window: int) -> None:
        """`limit`: a share from 0 to 1, 0: there is none; it counts from `window` records on."""
        self._limit, self._window = limit, window
        self._batches: deque[tuple[int, int]] = deque()
        self._bad = self._all = 0

    def add(self, bad: int, all_records: int) -> bool:
        """Note one batch; True: the limit is reached."""
        self._batches.append((bad, all_records))
        self._bad, self._all = self._bad + bad, self._all + all_records
        while self._all - self._batches[0][1] >= self._window:
            old_bad, old_all = self._batches.popleft()
            self._bad, self._all = self._bad - old_bad, self._all - old_all
        return self._limit > 0 and self._all >= self._window and self._bad >= self._limit * self._all


class BadRecordLimits:
    """Both limits of one worker."""

    def __init__(self, in_row: int, share: float, window: int) -> None:
        self._row, self._share = RowOfBadRecords(in_row), ShareOfBadRecords(share, window)
        self._row_text = f"{in_row} bad records in a row"
        self._share_text = f"{share:.0%} of the newest {window} records or more are bad"

    def add(self, bad: int, all_records: int) -> tuple[str, str] | None:
        """Note one batch; what was reached and the setting that sets it, or None."""
        row, share = self._row.add(bad, all_records), self._share.add(bad, all_records)
        if row:
            return self._row_text, "PROFILESTREAM_DEAD_LETTERS_IN_ROW"
        return (self._share_text, "PROFILESTREAM_DEAD_LETTERS_SHARE") if share else None
