"""Batches of one membership: what a rebalance does to records that were just taken."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from faust.types import TP

from agents.admin import create_topics
from agents.errors import FencedError
from agents.runtime.clients import committed_consumer
from agents.runtime.fetching import EAGER, BatchReader
from agents.topics import build_topics
from tests.broker.support import broker_settings, send


class Taken:
    """A message as librdkafka hands it over."""

    def __init__(self, partition: int, offset: int, error: KafkaError | None = None) -> None:
        self._partition, self._offset, self._error = partition, offset, error

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 7

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> None:
        return None

    def error(self) -> KafkaError | None:
        return self._error


class ScriptedConsumer:
    """Stands for librdkafka: messages that wait, and what happens while they are taken."""

    def __init__(self, *messages: Taken) -> None:
        self.messages = list(messages)
        self.generation = 1
        self.owned = [TopicPartition("t", 0)]
        self.while_polling: Callable[[], None] = lambda: None
        self.while_consuming: Callable[[], None] = lambda: None

    def subscribe(self, _topics: list[str], **callbacks: Any) -> None:
        self.callbacks = callbacks

    def rebalance(self, *, owned: bool = False) -> None:
        """All partitions are taken away; `owned`: new ones are there already."""
        self.callbacks["on_revoke"](self, self.owned)
        self.owned = [TopicPartition("t", 1)] if owned else []
        self.generation += 1

    def poll(self, _timeout: float) -> Taken | None:
        self.while_polling()
        return self.messages.pop(0) if self.messages else None

    def consume(self, most: int, _timeout: float) -> list[Taken]:
        self.while_consuming()
        taken, self.messages = self.messages[:most], self.messages[most:]
        return taken

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.owned = partitions

    def assignment(self) -> list[TopicPartition]:
        return self.owned

    def consumer_group_metadata(self) -> int:
        return self.generation


def reader(consumer: ScriptedConsumer, changes: list[None] | None = None) -> BatchReader:
    noted = changes if changes is not None else []
    return BatchReader(cast("Consumer", consumer), ["t"], lambda: noted.append(None))


def test_a_batch_holds_at_most_so_many_records_by_partition() -> None:
    consumer = ScriptedConsumer(Taken(0, 5), Taken(1, 3), Taken(0, 6), Taken(0, 7))
    batch = reader(consumer).fetch(3, 0.0)
    assert {tp: [record.offset for record in run] for tp, run in batch.runs.items()} == {
        TP("t", 0): [5, 6],
        TP("t", 1): [3],
    }
    assert batch.ends() == {TP("t", 0): 7, TP("t", 1): 4}
    assert len(reader(consumer).fetch(1, 0.0)) == 1
    assert len(reader(consumer).fetch(1, 0.0)) == 0


def test_what_was_taken_before_a_rebalance_is_dropped() -> None:
    consumer, changes = ScriptedConsumer(Taken(0, 5), Taken(0, 6)), list[None]()
    batches = reader(consumer, changes)
    consumer.while_consuming = consumer.rebalance
    assert len(batches.fetch(10, 0.0)) == 0
    assert len(changes) == 1


def test_records_after_a_rebalance_belong_to_the_new_membership() -> None:
    consumer = ScriptedConsumer(Taken(1, 5), Taken(1, 6))
    batches = reader(consumer)
    consumer.while_polling = lambda: consumer.rebalance(owned=True)
    assert len(batches.fetch(10, 0.0)) == 2
    assert batches.membership() == 2


def test_the_membership_is_that_of_the_batch() -> None:
    consumer = ScriptedConsumer(Taken(0, 5))
    batches = reader(consumer)
    batches.fetch(10, 0.0)
    consumer.rebalance()
    assert batches.membership() == 1


def test_the_assignment_is_told() -> None:
    consumer, told = ScriptedConsumer(), list[Mapping[TP, int]]()
    BatchReader(cast("Consumer", consumer), ["t"], lambda: None, told.append)
    consumer.callbacks["on_assign"](consumer, [TopicPartition("t", 1)])
    consumer.callbacks["on_revoke"](consumer, [TopicPartition("t", 1)])
    assert told == [{TP("t", 1): 0}]


def test_other_partitions_may_be_read_than_the_group_gives() -> None:
    consumer, told = ScriptedConsumer(), list[Mapping[TP, int]]()

    def all_of_another(given: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition("other", partition, 7) for partition in range(2)] if given else []

    BatchReader(cast("Consumer", consumer), ["t"], lambda: None, told.append, all_of_another)
    consumer.callbacks["on_assign"](consumer, [TopicPartition("t", 0)])
    assert [(one.topic, one.partition, one.offset) for one in consumer.owned] == [("other", 0, 7), ("other", 1, 7)]
    consumer.callbacks["on_assign"](consumer, [])
    assert consumer.owned == []
    assert told == [{TP("other", 0): 0, TP("other", 1): 0}, {}]


def test_old_and_new_partitions_are_never_mixed() -> None:
    consumer = ScriptedConsumer(Taken(0, 5), Taken(1, 6))
    batches = reader(consumer)
    consumer.while_consuming = lambda: consumer.rebalance(owned=True)
    with pytest.raises(FencedError):
        batches.fetch(10, 0.0)


def test_an_error_that_passes_is_passed_over_and_another_raised() -> None:
    passing = KafkaError(KafkaError._TRANSPORT, "away", False, True)
    lasting = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "no")
    assert len(reader(ScriptedConsumer(Taken(0, 1), Taken(0, -1, passing), Taken(0, 2))).fetch(10, 0.0)) == 2
    with pytest.raises(KafkaException):
        reader(ScriptedConsumer(Taken(0, -1, lasting))).fetch(10, 0.0)


@pytest.mark.broker
def test_the_membership_stays_until_the_next_fetch_although_another_joins(
    kafka: str, unique: str, tmp_path: Path
) -> None:
    settings = broker_settings(kafka, unique, tmp_path)
    topics = build_topics(settings)
    create_topics(settings)
    send(settings, topics.candidates, [(b"k", b"v")])
    consumers = [committed_consumer(settings, f"{unique}group", **EAGER, **{"group.instance.id": i}) for i in "12"]
    first = BatchReader(consumers[0], [topics.candidates.name], lambda: None)
    try:
        deadline = time.monotonic() + 30
        while not len(first.fetch(10, 0.1)):
            assert time.monotonic() < deadline
        second = BatchReader(consumers[1], [topics.candidates.name], lambda: None)
        joined = time.monotonic() + 3
        while time.monotonic() < joined:
            second.fetch(10, 0.1)
        before = first.membership()
        assert consumers[0].consumer_group_metadata() == before
        while not (consumers[0].assignment() and consumers[1].assignment()):
            first.fetch(10, 0.1)
            second.fetch(10, 0.1)
            assert time.monotonic() < deadline
        assert consumers[0].consumer_group_metadata() != before
    finally:
        for consumer in consumers:
            consumer.close()
