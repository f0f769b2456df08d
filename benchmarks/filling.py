"""Rows written into a changelog as a worker writes them, without the work that leads to them."""

from typing import Protocol

from confluent_kafka import KafkaException, TopicPartition

from agents.runtime.clients import committed_consumer, transactional_producer
from agents.runtime.seal import EMPTY, SEAL_KEY, Absorbed, Seal
from agents.settings import Settings
from agents.topics import app_id, build_topics
from benchmarks.harness import wait_until

TRANSACTION = 20_000


class Rows(Protocol):
    """Rows that follow from their number."""

    def key(self, number: int) -> bytes:
        """Of the row."""
        ...

    def value(self, number: int) -> bytes:
        """Of the row."""
        ...

    def partitions(self, begin: int, end: int, count: int) -> list[int]:
        """Of `count`, where the rows from `begin` to before `end` are."""
        ...

    def before(self, number: int) -> int | None:
        """Checksum of what the row replaces; None: nothing."""
        ...


def fill(settings: Settings, rows: Rows, count: int) -> None:
    """Write rows of the table `profiles`: transactions that end in seals; nothing of its sources is absorbed."""
    topics, group = build_topics(settings), app_id(settings, "profiles")
    parts = topics.profiles_changelog.partitions
    starts = [TopicPartition(topics.events.name, partition, 0) for partition in range(parts)]
    wait_until(lambda: _commit(settings, group, starts), [], "a coordinator of the group")
    producer = transactional_producer(settings, f"{group}-fill")
    producer.init_transactions(20)
    tallies = dict.fromkeys(range(parts), EMPTY)
    for begin in range(0, count, TRANSACTION):
        end = min(begin + TRANSACTION, count)
        producer.begin_transaction()
        changes: dict[int, tuple[dict[bytes, bytes | None], list[int | None]]] = {p: ({}, []) for p in range(parts)}
        for number, partition in zip(range(begin, end), rows.partitions(begin, end, parts), strict=True):
            key, value = rows.key(number), rows.value(number)
            changes[partition][0][key] = value
            changes[partition][1].append(rows.before(number))
            producer.produce(topics.profiles_changelog.name, value, key, partition)
        for partition, (of_partition, before) in changes.items():
            tallies[partition] = tallies[partition].after(of_partition, before)
            seal = Seal(tallies[partition], {topics.events.name: Absorbed(0, "")})
            producer.produce(topics.profiles_changelog.name, seal.pack(), SEAL_KEY, partition)
        producer.commit_transaction(60)


def _commit(settings: Settings, group: str, offsets: list[TopicPartition]) -> bool:
    """Commit offsets for a group without members; False: a new broker has no coordinator for it yet."""
    consumer = committed_consumer(settings, group)
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException:
        return False
    finally:
        consumer.close()
    return True
