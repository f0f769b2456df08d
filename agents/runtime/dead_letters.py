"""Bad records as they go to the dead-letter topic: original key and bytes, and where, when and why in headers."""

import hashlib
from dataclasses import dataclass

from agents.errors import RecordError
from agents.runtime.batch import Record

MOST_VALUE_BYTES = 1_000_000
"""Longer values are cut; their whole length and hash are in the headers."""
MOST_DETAIL_BYTES = 2_000
MOST_TRACEBACK_BYTES = 8_000
MOST_KEY_BYTES = 10_000


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
    key = record.key[:MOST_KEY_BYTES] if record.key is not None else None
    packed = [
        (name, text.encode("utf-8", "replace")[: MOST_DETAIL_BYTES if name == "detail" else None])
        for name, text in headers.items()
    ]
    return DeadLetter(key, value, packed)


class RowOfBadRecords:
    """Counts bad records in a row: very many of them mean a broken producer, not bad records."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0

    def add(self, bad: int, all_records: int) -> bool:
        """Note one batch; True: the limit is reached."""
        self._count = self._count + bad if bad == all_records else 0
        return self._count >= self._limit
