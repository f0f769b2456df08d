"""A record as a plain consumer reads it; commands need it without the engine that batches bring in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Message


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record as `agents.runtime.batch.Record` wants it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def read_record(message: Message) -> ReadRecord:
    """A confluent-kafka message as a record."""
    return ReadRecord(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        cast("Sequence[tuple[str, bytes]]", message.headers() or ()),
    )
