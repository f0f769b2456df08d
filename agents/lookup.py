"""The newest record of one key, read from the end-to-end committed part of its partition."""

from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from agents.errors import BrokerError
from agents.partition import partition_of
from agents.runtime.clients import committed_consumer
from agents.settings import Settings
from agents.topics import Topic

TIMEOUT_S = 8.0
READ_AT_ONCE = 10_000
WAIT_S = 0.05
FETCH_WAIT_MS = 20
"""The broker says that a partition has no more records after this; a look-up reads up to five partitions."""


def scan(settings: Settings, topic: Topic, partition: int) -> Iterator[tuple[bytes, bytes | None]]:
    """(key, value) of every committed record of a partition, oldest first. Raises `BrokerError`."""
    options = {"enable.partition.eof": True, "fetch.wait.max.ms": FETCH_WAIT_MS}
    consumer = committed_consumer(settings, f"{settings.topic_prefix}lookup", **options)
    try:
        consumer.get_watermark_offsets(TopicPartition(topic.name, partition), TIMEOUT_S)
        consumer.assign([TopicPartition(topic.name, partition, 0)])
        yield from _until_the_end(consumer, topic)
    except KafkaException as exc:
        raise BrokerError(
            f"cannot read topic {topic.name} at {settings.bootstrap_servers}: {exc.args[0].str()}\n  "
            "Is Kafka running, and were the topics made (profilestream topics create)?"
        ) from exc
    finally:
        consumer.close()


def _until_the_end(consumer: Consumer, topic: Topic) -> Iterator[tuple[bytes, bytes | None]]:
    while True:
        messages = consumer.consume(READ_AT_ONCE, WAIT_S)
        for message in messages:
            error = message.error()
            if error is None:
                yield message.key() or b"", message.value()
            elif error.code() == KafkaError._PARTITION_EOF:
                return
            else:
                raise BrokerError(f"topic {topic.name}: {error}")


def newest(settings: Settings, topic: Topic, key: bytes) -> bytes | None:
    """Newest value of a key; None: there is none, or it was deleted."""
    value = None
    for found, candidate in scan(settings, topic, partition_of(key, topic.partitions)):
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
