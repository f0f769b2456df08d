"""What an agent may do with one batch: read and write rows, send records. Everything happens, or nothing does."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from typing import Any

from confluent_kafka import KafkaException, Producer, TopicPartition
from faust.types import TP

from agents.cuts import Headers, Places
from agents.errors import FencedError, RecordError
from agents.runtime.batch import Record
from agents.runtime.dead_letters import dead_letter
from agents.runtime.metrics import Metrics, Name
from agents.runtime.outbox import Outbox
from agents.runtime.seal import SEAL_KEY, Seal, checksum
from agents.runtime.table import Table

FORWARDED_HEADER = "forwarded"
"""Says of a record in which partition and at which offset it was found."""
COMMIT_TIMEOUT_S = 8.0
"""A commit that takes longer has an unknown outcome; shorter than the ten seconds that SIGTERM leaves a worker."""
OFFSETS_TIMEOUT_S = COMMIT_TIMEOUT_S + 1.0
"""librdkafka's call does not always keep its own: it can wait for ever for a coordinator that is just being made."""
Delivered = Callable[[Any, Any], None]
"""Called with (error, message) when the broker has answered."""


class Transaction:
    """One transaction of the worker's producer; made by the runtime for each batch."""

    def __init__(
        self, producer: Producer, table: Table | None, dead_letters: tuple[str, int], metrics: Metrics, now_ms: int
    ) -> None:
        self.now_ms = now_ms
        self.bad = 0
        """Records sent to the dead letters."""
        self._producer, self._table, self._metrics = producer, table, metrics
        self._outbox = Outbox(producer)
        self._dead_letters = dead_letters
        self._rows: dict[int, dict[bytes, bytes | None]] = {}
        self._before: dict[int, dict[bytes, int | None]] = {}
        """Checksums of rows as they were read from the table."""
        self._seals: dict[int, Seal] = {}
        self._changelog_ends: dict[int, int] = {}
        self._next_offsets: Mapping[TP, int] = {}
        self._offsets: Future[None] | None = None
        self._sent: dict[str, list[int]] = {}
        """Topic → records, and bytes of their values."""
        self._counted: Counter[Name] = Counter()
        self._ignored: Counter[tuple[str, str]] = Counter()
        try:
            producer.begin_transaction()
        except KafkaException as exc:
            raise FencedError(f"no transaction can be begun: {exc.args[0].str()}") from exc

    def hold(self) -> None:
        """Hold records back until they are passed on or the rows are sealed, if they are few."""
        self._outbox.hold()

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows of the table, as this transaction sees them; None where there is no row."""
        assert self._table is not None
        found = self._table.read(partition, keys)
        self._before.setdefault(partition, {}).update(zip(keys, map(checksum, keys, found), strict=True))
        written = self._rows.get(partition)
        if written:
            found = [written.get(key, value) for key, value in zip(keys, found, strict=True)]
        return found

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write a row; None deletes it. The last write of a key counts.

        Raises `KafkaException` if the row is too long; of a row that is held `seal_rows` does.
        """
        assert self._table is not None
        self._produce(self._table.changelog, partition, key, value)
        self._rows.setdefault(partition, {})[key] = value

    def places(self, partitions: Iterable[int]) -> dict[int, Places]:
        """Where the sources of these partitions stand after this transaction, as their seals will say."""
        assert self._table is not None
        places = {partition: self._table.places(partition) for partition in partitions}
        for tp, offset in self._next_offsets.items():
            if tp.partition in places:
                places[tp.partition][tp.topic] = offset
        return places

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        timestamp_ms: int = 0,
    ) -> None:
        """Send a record to an explicit partition. `timestamp_ms` 0: now.

        Raises `KafkaException` if it is too long or has nowhere to go, `FencedError` if the transaction is lost; of a
        record that is held `seal_rows` does.
        """
        self._produce(topic, partition, key, value, None, timestamp_ms, headers)
        sent = self._sent.get(topic)
        if sent is None:
            sent = self._sent[topic] = [0, 0]
        sent[0] += 1
        sent[1] += len(value or b"")

    def pass_on(self) -> None:
        """Let the broker have what was sent and written so far, while the work goes on. Raises as `seal_rows`."""
        self._outbox.pass_on()

    def forward(self, record: Record, partition: int) -> None:
        """Send a record on to the partition of its topic where it belongs."""
        headers = [*record.headers, (FORWARDED_HEADER, f"{record.partition}-{record.offset}".encode())]
        self.send(record.topic, partition, record.key, record.value, headers, record.timestamp)
        self._metrics.add("forwarded_total", topic=record.topic)

    def dead_letter(self, record: Record, error: RecordError, traceback: str = "") -> None:
        """Put a bad record aside, with its reason."""
        topic, partitions = self._dead_letters
        letter = dead_letter(record, error, self.now_ms, traceback)
        self.send(topic, record.partition % partitions, letter.key, letter.value, letter.headers)
        self._metrics.add("dead_letters_total", topic=record.topic, reason=error.reason)
        self.bad += 1

    def count(self, name: Name, amount: int = 1) -> None:
        """Add to a metric without labels, once the transaction is committed."""
        self._counted[name] += amount

    def ignore(self, topic: str, reason: str, count: int) -> None:
        """Count good records that change nothing, once the transaction is committed."""
        self._ignored[topic, reason] += count

    def send_offsets(self, offsets: Mapping[TP, int], group_metadata: Any, executor: Executor) -> None:
        """Add the source offsets to the transaction; the broker is asked while the work goes on."""
        positions = [TopicPartition(tp.topic, tp.partition, offset) for tp, offset in offsets.items()]
        self._next_offsets = offsets
        send = self._producer.send_offsets_to_transaction
        self._offsets = executor.submit(send, positions, group_metadata, COMMIT_TIMEOUT_S)

    def wait_for_offsets(self) -> None:
        """Wait until the call of `send_offsets` is over, whatever came of it: then the producer is free again.

        At most `OFFSETS_TIMEOUT_S`: if it is not over by then, the process must end without using the producer.
        """
        if self._offsets is not None:
            wait([self._offsets], OFFSETS_TIMEOUT_S)

    def seal_rows(self) -> None:
        """Send all that is held, and a seal for each partition that has new rows or new offsets: the last record there.

        Raises what `send` and `write` did not raise of records that were held.
        """
        if self._table is not None:
            self._seal(self._table)
        self._outbox.let_go()

    def _seal(self, table: Table) -> None:
        def delivered(error: Any, message: Any) -> None:
            if error is None:
                self._changelog_ends[message.partition()] = message.offset()

        moved: dict[int, dict[str, int]] = {partition: {} for partition in self._rows}
        for tp, offset in self._next_offsets.items():
            moved.setdefault(tp.partition, {})[tp.topic] = offset
        for partition, next_offsets in moved.items():
            rows, before = self._rows.get(partition, {}), self._before.get(partition, {})
            unread = [key for key in rows if key not in before]
            if unread:
                found = map(checksum, unread, table.read(partition, unread))
                before = {**before, **dict(zip(unread, found, strict=True))}
            seal = table.seal(partition, rows, [before[key] for key in rows], next_offsets)
            self._produce(table.changelog, partition, SEAL_KEY, seal.pack(), delivered)
            self._seals[partition] = seal

    def commit(self) -> None:
        """Commit rows, records and source offsets together; then write the rows to the local store.

        Raises `FencedError` if this worker is no longer the owner, or if the outcome is unknown: the process must end.
        """
        assert self._offsets is not None
        began = time.perf_counter()
        try:
            self._offsets.result(OFFSETS_TIMEOUT_S)
            self._producer.commit_transaction(COMMIT_TIMEOUT_S)
        except KafkaException as exc:
            raise FencedError(f"the transaction was not committed: {exc.args[0].str()}") from exc
        except TimeoutError as exc:
            raise FencedError("the transaction was not committed: the broker did not take the offsets in time") from exc
        self._metrics.observe("commit_seconds", time.perf_counter() - began)
        for partition, seal in self._seals.items():
            assert self._table is not None
            rows, end = self._rows.get(partition, {}), self._changelog_ends[partition]
            self._table.write(partition, rows, end, self.now_ms, seal)
        self._count()

    def _produce(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        delivered: Delivered | None = None,
        timestamp_ms: int = 0,
        headers: Headers | None = None,
    ) -> None:
        self._outbox.produce(topic, value, key, partition, delivered, None, timestamp_ms, headers)

    def _count(self) -> None:
        rows = [value for of_partition in self._rows.values() for value in of_partition.values()]
        self._metrics.add("rows_written_total", len(rows))
        self._metrics.add("row_bytes_total", sum(len(value) for value in rows if value is not None))
        for name, count in self._counted.items():
            self._metrics.add(name, count)
        for (topic, reason), count in self._ignored.items():
            self._metrics.add("ignored_total", count, topic=topic, reason=reason)
        for topic, (count, size) in self._sent.items():
            self._metrics.add("sent_total", count, topic=topic)
            self._metrics.add("sent_bytes_total", size, topic=topic)
