"""Topics read up to an offset, every transaction before it decided."""

from collections.abc import Iterable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from agents.errors import BrokerError, ProfilestreamError
from agents.lookup import read_up_to, unreadable
from agents.runtime.clients import committed_consumer
from agents.runtime.reading import ReadRecord
from agents.runtime.refusal import refused
from agents.settings import Settings
from agents.topics import Topic, app_id

SILENCE_TIMEOUT_S = 60.0
"""Longer than the broker lets a dead worker's transaction stay open."""
ANSWER_TIMEOUT_S = 10.0
FETCH_WAIT_MS = 20
QUEUED_KB = 16 * 1024


class Reader:
    """Reads topics and committed offsets without being part of any group. Raises `BrokerError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        group = app_id(settings, "verify")
        options = {
            "enable.partition.eof": True,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "queued.max.messages.kbytes": QUEUED_KB,
        }
        self._committed = committed_consumer(settings, group, **options)
        self._all = committed_consumer(settings, group, **{"isolation.level": "read_uncommitted"})

    def close(self) -> None:
        """End the connections."""
        self._committed.close()
        self._all.close()

    def start(self, topic: Topic, partition: int) -> int:
        """The first offset that is still there."""
        return self._bounds(self._all, topic, partition)[0]

    def end(self, topic: Topic, partition: int) -> int:
        """The offset after the last record, undecided transactions included."""
        return self._bounds(self._all, topic, partition)[1]

    def stable_end(self, topic: Topic, partition: int) -> int:
        """The offset before which every transaction is decided."""
        return self._bounds(self._committed, topic, partition)[1]

    def stable_offsets(self, worker: str, topics: Iterable[Topic]) -> Mapping[int, dict[str, int]]:
        """Partition → topic → committed offset of a worker's group, once no transaction with offsets is undecided."""
        by_name = {topic.name: topic for topic in topics}
        asked = [TopicPartition(name, p) for name, topic in by_name.items() for p in range(topic.partitions)]
        group = app_id(self._settings, worker)
        consumer = committed_consumer(self._settings, group)
        try:
            found: dict[int, dict[str, int]] = {}
            for position in consumer.committed(asked, SILENCE_TIMEOUT_S):
                if position.error is not None:
                    raise BrokerError(f"committed offset of {position.topic}-{position.partition}: {position.error}")
                topic, p = by_name[position.topic], position.partition
                # A worker begins where the topic does.
                offset = position.offset if position.offset >= 0 else self.start(topic, p)
                found.setdefault(p, {})[topic.name] = offset
            return found
        except KafkaException as exc:
            raise refused(
                self._settings, "cannot read the committed offsets", f"Describe on group {group}", exc
            ) from exc
        finally:
            consumer.close()

    def read(self, topic: Topic, partition: int, start: int, end: int) -> Iterator[ReadRecord]:
        """Committed records with offsets from `start` to before `end`, once every transaction there is decided."""
        if start >= end:
            return
        place = TopicPartition(topic.name, partition, start)
        self._committed.assign([place])
        try:
            yield from read_up_to(self._committed, place, end)
        except KafkaException as exc:
            raise self._unreadable(topic, exc) from exc
        finally:
            self._committed.unassign()

    def _bounds(self, consumer: Consumer, topic: Topic, partition: int) -> tuple[int, int]:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, partition), ANSWER_TIMEOUT_S)
            return low, high
        except KafkaException as exc:
            raise self._unreadable(topic, exc) from exc

    def _unreadable(self, topic: Topic, error: KafkaException) -> ProfilestreamError:
        return unreadable(self._settings, topic, error, app_id(self._settings, "verify"))
