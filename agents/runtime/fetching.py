"""Batches from a plain confluent-kafka consumer, for workers that are not Faust's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from faust.types import TP

from agents.errors import FencedError
from agents.runtime.batch import Batch, Record
from agents.runtime.reading import read_record

EAGER = {"partition.assignment.strategy": "range"}
"""Options of a consumer whose partitions are all taken away at each rebalance."""


class BatchReader:
    """Batches of the partitions that the group gives to this consumer.

    A batch belongs to one membership: what was taken before a rebalance is dropped, since its owner reads it again from
    the committed offset, and `membership` is that of the last batch, not that of a later one. The assignor must take
    all partitions away at each rebalance (`EAGER`).
    """

    def __init__(
        self,
        consumer: Consumer,
        topics: Sequence[str],
        on_rebalance: Callable[[], None],
        on_assigned: Callable[[Mapping[TP, int]], None] = lambda _: None,
        choose: Callable[[list[TopicPartition]], list[TopicPartition]] | None = None,
    ) -> None:
        """`choose`: what to read, and from where, when the group gives these partitions; None: just these."""
        self._choose = choose
        self._consumer, self._on_rebalance, self._on_assigned = consumer, on_rebalance, on_assigned
        self._epoch = 0
        self._membership: Any = None
        consumer.subscribe(list(topics), on_assign=self._assigned, on_revoke=self._changed, on_lost=self._changed)

    def fetch(self, most: int, wait_s: float) -> Batch:
        """Up to `most` records: waits for the first one only.

        Raises `KafkaException` on an error that does not pass, `FencedError` if old and new partitions got mixed.
        """
        first = self._consumer.poll(wait_s)
        if first is None:
            return Batch({})
        epoch, self._membership = self._epoch, self._consumer.consumer_group_metadata()
        messages = [first, *self._consumer.consume(most - 1, 0.0)] if most > 1 else [first]
        if epoch != self._epoch:
            if self._consumer.assignment():
                raise FencedError("the group gave out its partitions anew while records were taken")
            return Batch({})
        runs: dict[TP, list[Record]] = {}
        for message in messages:
            error = message.error()
            if error is None:
                record = read_record(message)
                runs.setdefault(TP(record.topic, record.partition), []).append(record)
            elif error.fatal() or not error.retriable():
                raise KafkaException(error)
        return Batch(runs)

    def membership(self) -> Any:
        """The group metadata under which the last batch was taken; what commits it."""
        return self._membership

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._changed(consumer, partitions)
        if self._choose is not None:
            partitions = self._choose(partitions)
            consumer.assign(partitions)
        self._on_assigned({TP(one.topic, one.partition): 0 for one in partitions})

    def _changed(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._epoch += 1
        self._on_rebalance()
