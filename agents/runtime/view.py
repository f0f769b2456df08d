"""A read-only copy of a compacted topic: a thread reads all partitions from the start, then follows."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from agents.errors import BrokerError, ProfilestreamError, RecordError
from agents.runtime.clients import committed_consumer
from agents.runtime.metrics import Metrics
from agents.runtime.refusal import lacks_right, no_right
from agents.settings import Settings
from agents.topics import Topic, view_group

log = logging.getLogger(__name__)

U = TypeVar("U")

MOST_AT_ONCE = 5_000
WAIT_S = 0.1
MOST_NOT_DRAINED = 200_000
"""So many newest entries may wait for the owner; then the thread waits too."""
METADATA_TIMEOUT_S = 10.0


class View(Generic[U]):
    """Newest value of every key, handed over as changes by `drain`."""

    def __init__(self, settings: Settings, topic: Topic, decode: Callable[[bytes, bytes], U]) -> None:
        self._settings, self._topic, self._decode = settings, topic, decode
        self._lock = threading.Lock()
        self._waiting: dict[bytes, U | None] = {}
        self._drained = threading.Event()
        self._caught_up = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._metrics: Metrics | None = None
        self.error: Exception | None = None
        """Why the thread ended, if it did by itself."""

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self._topic.name

    def start(self, metrics: Metrics | None = None) -> None:
        """Begin to read. Raises `BrokerError` if the topic cannot be looked up."""
        self._metrics = metrics
        consumer = committed_consumer(
            self._settings,
            view_group(self._settings),
            **{"enable.partition.eof": True, "fetch.wait.max.ms": 200, "queued.max.messages.kbytes": 64 * 1024},
        )
        try:
            found = consumer.list_topics(self._topic.name, METADATA_TIMEOUT_S).topics[self._topic.name]
        except Exception as exc:
            consumer.close()
            raise BrokerError(f"cannot read topic {self._topic.name}: {exc}") from exc
        partitions = sorted(found.partitions)
        if not partitions:
            consumer.close()
            raise BrokerError(f"topic {self._topic.name} has no partitions: profilestream topics check")
        consumer.assign([TopicPartition(self._topic.name, partition, 0) for partition in partitions])
        self._thread = threading.Thread(
            target=self._read, args=(consumer, set(partitions)), name=f"view-{self._topic.name}", daemon=True
        )
        self._thread.start()

    @property
    def caught_up(self) -> bool:
        """Whether the end of every partition was seen once."""
        return self._caught_up.is_set()

    def drain(self) -> list[tuple[bytes, U | None]]:
        """The newest value of every key that changed since the last call; None: deleted."""
        if not self._waiting:
            return []
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        self._drained.set()
        return list(waiting.items())

    def put(self, key: bytes, value: bytes | None) -> None:
        """Take over one record; None deletes. Raises `RecordError` if it cannot be decoded."""
        decoded = None if value is None else self._decode(key, value)
        with self._lock:
            self._waiting[key] = decoded

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._drained.set()
        if self._thread is not None:
            self._thread.join()

    def _read(self, consumer: Consumer, behind: set[int]) -> None:
        group = view_group(self._settings)
        try:
            while not self._stop.is_set():
                for message in consumer.consume(MOST_AT_ONCE, WAIT_S):
                    error = message.error()
                    if error is None:
                        self._take(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        behind.discard(message.partition())
                    elif lacks_right(error):
                        raise no_right(self._settings, f"Read on topic {self._topic.name}, Describe on group {group}")
                    elif error.fatal():
                        raise BrokerError(str(error))
                    else:
                        log.warning("view of %s: %s", self._topic.name, error)
                if not behind:
                    self._caught_up.set()
                while len(self._waiting) > MOST_NOT_DRAINED and not self._stop.is_set():
                    self._drained.clear()
                    self._drained.wait(WAIT_S)
        except Exception as exc:
            if not isinstance(exc, ProfilestreamError):
                log.exception("view of %s ended", self._topic.name)
            self.error = exc
        finally:
            consumer.close()

    def _take(self, message: Message) -> None:
        key, value = message.key(), message.value()
        if key is None:
            return
        try:
            self.put(key, value)
        except RecordError as exc:
            place = f"partition {message.partition()}, offset {message.offset()}"
            log.warning("view of %s: bad record skipped at %s: %s", self._topic.name, place, exc)
            if self._metrics is not None:
                self._metrics.add("view_bad_records_total", topic=self._topic.name)
            return
        if self._metrics is not None:
            self._metrics.add("view_records_total", topic=self._topic.name)
