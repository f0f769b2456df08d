"""Batches from a plain confluent-kafka consumer, for workers that are not Faust's."""

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, Message
from faust.types import TP

from agents.runtime.batch import Batch, Record


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
        message.headers() or (),
    )


def fetch(consumer: Consumer, most: int, wait_s: float) -> Batch:
    """Up to `most` records: waits for the first one only. Raises `KafkaException` on an error that does not pass."""
    first = consumer.poll(wait_s)
    if first is None:
        return Batch({})
    runs: dict[TP, list[Record]] = {}
    for message in (first, *consumer.consume(most - 1, 0.0)):
        error = message.error()
        if error is None:
            record = read_record(message)
            runs.setdefault(TP(record.topic, record.partition), []).append(record)
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)
    return Batch(runs)
