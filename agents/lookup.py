"""What topics hold: the newest record of one key, or every committed record of a partition."""

import time
from collections.abc import Callable, Iterator, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from agents.errors import BrokerError, ProfilestreamError
from agents.partition import partition_of
from agents.runtime.clients import committed_consumer
from agents.runtime.reading import ReadRecord, read_record
from agents.runtime.refusal import lacks_right, no_answer, no_right
from agents.settings import Settings
from agents.topics import Topic, app_id

TIMEOUT_S = 8.0
READ_AT_ONCE = 10_000
WAIT_S = 0.05
FETCH_WAIT_MS = 20
"""The broker says that a partition has no more records after this; a look-up reads up to five partitions."""
OPEN_TIMEOUT_S = 60.0
"""The broker ends a dead worker's transaction after ten seconds, and ten until it looks."""


def scan(settings: Settings, topic: Topic, partition: int) -> Iterator[tuple[bytes, bytes | None]]:
    """(key, value) of every committed record of a partition, oldest first. Raises `BrokerError`."""
    options = {"enable.partition.eof": True, "fetch.wait.max.ms": FETCH_WAIT_MS}
    consumer = committed_consumer(settings, app_id(settings, "lookup"), **options)
    try:
        consumer.get_watermark_offsets(TopicPartition(topic.name, partition), TIMEOUT_S)
        consumer.assign([TopicPartition(topic.name, partition, 0)])
        yield from _until_the_end(consumer)
    except KafkaException as exc:
        raise unreadable(settings, topic, exc, app_id(settings, "lookup")) from exc
    finally:
        consumer.close()


def _until_the_end(consumer: Consumer) -> Iterator[tuple[bytes, bytes | None]]:
    while True:
        messages = consumer.consume(READ_AT_ONCE, WAIT_S)
        for message in messages:
            error = message.error()
            if error is None:
                yield message.key() or b"", message.value()
            elif error.code() == KafkaError._PARTITION_EOF:
                return
            else:
                raise KafkaException(error)


def read_whole(
    settings: Settings, topic: Topic, partition: int, end: int | None = None, group: str | None = None
) -> Iterator[ReadRecord]:
    """Every committed record of a partition up to `end` (None: the end that it has now), oldest first.

    In the name of `group`, which is not joined (None: that of look-ups). Unlike `scan` it does not stop where a
    transaction is open: what was committed after that began is waited for, for at most `OPEN_TIMEOUT_S`. Raises
    `BrokerError`.
    """
    options = {"enable.partition.eof": True, "fetch.wait.max.ms": FETCH_WAIT_MS}
    group = group or app_id(settings, "lookup")
    if end is None:
        (end,) = ends_of(settings, topic, [partition], group)
    place = TopicPartition(topic.name, partition, 0)
    consumer = committed_consumer(settings, group, **options)
    try:
        consumer.assign([place])
        yield from read_up_to(consumer, place, end)
    except KafkaException as exc:
        raise unreadable(settings, topic, exc, group) from exc
    finally:
        consumer.close()


def read_all(settings: Settings, topic: Topic) -> Iterator[ReadRecord]:
    """Every committed record of all partitions, one partition after the other, as `read_whole`."""
    for partition in range(topic.partitions):
        yield from read_whole(settings, topic, partition)


def ends_of(settings: Settings, topic: Topic, partitions: Sequence[int], group: str | None = None) -> list[int]:
    """The ends that partitions have now, open transactions included. Raises `BrokerError`."""
    uncommitted = {"isolation.level": "read_uncommitted"}
    group = group or app_id(settings, "lookup")
    consumer = committed_consumer(settings, group, **uncommitted)
    try:
        places = [TopicPartition(topic.name, partition) for partition in partitions]
        return [int(consumer.get_watermark_offsets(place, TIMEOUT_S)[1]) for place in places]
    except KafkaException as exc:
        raise unreadable(settings, topic, exc, group) from exc
    finally:
        consumer.close()


def unreadable(settings: Settings, topic: Topic, error: KafkaException, group: str) -> ProfilestreamError:
    """The error for a topic that could not be read in the name of this group."""
    if error.args[0].code() in {KafkaError._TRANSPORT, KafkaError._TIMED_OUT}:
        return no_answer(settings, error)
    if lacks_right(error.args[0]):
        return no_right(settings, f"Read on topic {topic.name}, Describe on group {group}")
    return BrokerError(
        f"cannot read topic {topic.name} at {settings.bootstrap_servers}: {error.args[0].str()}\n  "
        "Is Kafka running, and were the topics made (profilestream topics create)?"
    )


def read_up_to(consumer: Consumer, place: TopicPartition, end: int) -> Iterator[ReadRecord]:
    """Committed records up to `end`, of a consumer that was assigned `place` and tells the ends of partitions.

    Raises `BrokerError` after `OPEN_TIMEOUT_S` of silence, `KafkaException` for what the broker refuses.
    """
    heard = time.monotonic()
    while True:
        messages = consumer.consume(READ_AT_ONCE, WAIT_S)
        if messages:
            heard = time.monotonic()
        elif time.monotonic() - heard > OPEN_TIMEOUT_S:
            raise BrokerError(
                f"{place.topic}-{place.partition} could not be read to {end}: for {OPEN_TIMEOUT_S:.0f} s the broker "
                "did not answer, or a transaction stayed open"
            )
        for message in messages:
            error, offset = message.error(), message.offset() or 0
            if error is None and offset < end:
                yield read_record(message)
            elif error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if offset >= end - 1 if error is None else offset >= end:
                return


def newest(settings: Settings, topic: Topic, key: bytes, partition: int | None = None) -> bytes | None:
    """Newest value of a key; None: there is none, or it was deleted. `partition` None: the one of the key."""
    value = None
    if partition is None:
        partition = partition_of(key, topic.partitions)
    for found, candidate in scan(settings, topic, partition):
        if found == key:
            value = candidate
    return value


def titles(settings: Settings, topic: Topic, wanted: set[str], title_of: Callable[[bytes], str]) -> dict[str, str]:
    """Titles of items, where the catalogue has them."""
    keys = {item.encode(): item for item in wanted}
    found: dict[str, str] = {}
    for partition in sorted({partition_of(key, topic.partitions) for key in keys}):
        for key, value in scan(settings, topic, partition):
            if key in keys and value is not None:
                found[keys[key]] = title_of(value)
    return found
