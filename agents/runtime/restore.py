"""After a rebalance: wait until the last owner's transactions are decided, then bring rows up to the changelog.

committed offsets, once stable ──► changelog to its end of that moment ──► rows ──► absorb from those offsets

The end is not the last stable offset: a transaction that a dead worker left open holds that back, also before rows that
were committed after it began and whose source offsets count as absorbed.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from faust.types import TP

from agents.errors import BrokerError, SetupError
from agents.runtime.clients import admin_client, committed_consumer
from agents.runtime.metrics import Metrics
from agents.runtime.store import PartitionStore, Position
from agents.runtime.table import Table
from agents.settings import Settings
from agents.topics import DAY_MS, app_id

log = logging.getLogger(__name__)

STABLE_TIMEOUT_S = 60.0
"""How long undecided transactions of an earlier owner are waited for; the broker ends them after ten seconds or so."""
SILENCE_TIMEOUT_S = 60.0
"""Longer than the broker lets a dead worker's transaction stay open: ten seconds, and ten until it looks."""
BATCH = 20_000
PROGRESS_S = 2.0
OLDEST_LOCAL_STATE_MS = DAY_MS
"""Kafka keeps a compacted deletion for a day (`delete.retention.ms`); older local rows may miss one."""


class Restorer:
    """Restores the table's partitions of one worker."""

    def __init__(self, settings: Settings, worker: str, sources: Sequence[str], table: Table, metrics: Metrics) -> None:
        self._settings, self._group, self._sources = settings, app_id(settings, worker), sources
        self._table, self._metrics = table, metrics

    def restore(self, partitions: frozenset[int]) -> dict[TP, int]:
        """Bring these partitions up to date. Returns where to go on reading in every source partition.

        Raises `BrokerError` if the broker is silent and `SetupError` if records are missing that cannot be had again.
        """
        began = time.perf_counter()
        stores = dict(self._table.open(partitions))
        if not partitions:
            return {}
        starts = self._stable_offsets(partitions)
        topic_id = self._topic_id()
        for partition, store in stores.items():
            stores[partition] = self._usable(partition, store, topic_id)
        rows = self._read_changelog(stores, topic_id)
        seconds = time.perf_counter() - began
        self._metrics.observe("restore_seconds", seconds)
        log.info("restored %d partitions: %d changelog records in %.2f s", len(partitions), rows, seconds)
        return starts

    def _stable_offsets(self, partitions: frozenset[int]) -> dict[TP, int]:
        """Committed offsets of the sources, when no transaction with offsets of these partitions is undecided."""
        asked = [TopicPartition(topic, partition) for topic in self._sources for partition in sorted(partitions)]
        # read_committed makes librdkafka ask for stable offsets.
        consumer = committed_consumer(self._settings, self._group)
        try:
            committed = consumer.committed(asked, STABLE_TIMEOUT_S)
            starts = {}
            for position in committed:
                if position.error is not None:
                    raise BrokerError(f"committed offset of {position.topic}-{position.partition}: {position.error}")
                low, high = consumer.get_watermark_offsets(position, STABLE_TIMEOUT_S)
                starts[TP(position.topic, position.partition)] = self._start(position, low, high)
            return starts
        except KafkaException as exc:
            raise BrokerError(f"cannot read the committed offsets: {exc.args[0].str()}") from exc
        finally:
            consumer.close()

    def _start(self, committed: TopicPartition, low: int, high: int) -> int:
        """Where to read on. A committed offset outside the log means lost records or another topic."""
        if committed.offset < 0:
            return low
        if low <= committed.offset <= high or self._settings.accept_lost_records:
            return min(max(committed.offset, low), high)
        what = (
            f"records {committed.offset} to {low - 1} were deleted before they were absorbed"
            if committed.offset < low
            else f"the log ends at {high}, before the committed offset {committed.offset}: was the topic made anew?"
        )
        raise SetupError(
            f"topic {committed.topic}, partition {committed.partition}: {what}.\n  "
            "Raise the topic's retention. To go on without these records: PROFILESTREAM_ACCEPT_LOST_RECORDS=true"
        )

    def _topic_id(self) -> str:
        """Id of the changelog topic; empty where the broker does not tell."""
        if self._settings.embedded:
            return ""
        admin = admin_client(self._settings)
        try:
            future = admin.describe_topics(TopicCollection([self._table.changelog]))
            return str(future[self._table.changelog].result(STABLE_TIMEOUT_S).topic_id)
        except KafkaException as exc:
            raise BrokerError(f"cannot describe {self._table.changelog}: {exc.args[0].str()}") from exc

    def _usable(self, partition: int, store: PartitionStore, topic_id: str) -> PartitionStore:
        """The store, or an empty one in its place if its rows cannot be brought up to date."""
        position = store.position()
        if position is None:
            return store
        reason = None
        if position.topic_id and position.topic_id != topic_id:
            reason = "the changelog topic was made anew"
        elif time.time() * 1000 - position.at_ms > OLDEST_LOCAL_STATE_MS:
            reason = "the local state is older than Kafka keeps deletions"
        if reason is None:
            return store
        log.warning("partition %d: %s; restoring it from the start", partition, reason)
        store = store.wipe()
        self._table.replace(partition, store)
        return store

    def _ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Ends of the changelog's partitions, open transactions included: what a dead owner left open is waited for.

        Its rows hide all that was committed after them until the broker has ended its transaction.
        """
        options = {"isolation.level": "read_uncommitted"}
        consumer = committed_consumer(self._settings, f"{self._group}-restore", **options)
        try:
            asked = {p: TopicPartition(self._table.changelog, p) for p in partitions}
            return {p: consumer.get_watermark_offsets(place, SILENCE_TIMEOUT_S)[1] for p, place in asked.items()}
        except KafkaException as exc:
            raise BrokerError(f"cannot read the ends of {self._table.changelog}: {exc.args[0].str()}") from exc
        finally:
            consumer.close()

    def _read_changelog(self, stores: dict[int, PartitionStore], topic_id: str) -> int:
        """Read every partition to the end that it has now. Returns the number of records."""
        ends = self._ends(stores)
        consumer = committed_consumer(
            self._settings,
            f"{self._group}-restore",
            **{
                "enable.partition.eof": True,
                "queued.min.messages": 1_000_000,
                "queued.max.messages.kbytes": 128 * 1024,
                "fetch.wait.max.ms": 10,
            },
        )
        try:
            return _Reading(consumer, stores, ends, self._table, topic_id, self._metrics).run()
        finally:
            consumer.close()


class _Reading:
    """One pass over the changelog partitions."""

    def __init__(
        self,
        consumer: Consumer,
        stores: dict[int, PartitionStore],
        wanted: dict[int, int],
        table: Table,
        topic_id: str,
        metrics: Metrics,
    ) -> None:
        self._consumer, self._stores, self._wanted, self._table = consumer, stores, wanted, table
        self._topic_id, self._metrics = topic_id, metrics
        self._ends: dict[int, int] = {}
        self._records = 0

    def run(self) -> int:
        changelog, left = self._table.changelog, set(self._stores)
        self._consumer.assign([TopicPartition(changelog, partition, self._start(partition)) for partition in left])
        heard = told = time.monotonic()
        while left:
            messages = self._consumer.consume(BATCH, 0.2)
            now = time.monotonic()
            if messages:
                heard = now
            elif now - heard > SILENCE_TIMEOUT_S:
                raise BrokerError(
                    f"{changelog} could not be restored: for {SILENCE_TIMEOUT_S:.0f} s the broker did not answer, or a "
                    "transaction stayed open"
                )
            if now - told > PROGRESS_S:
                told = now
                silent = "; an open transaction is waited for" if now - heard > PROGRESS_S / 2 else ""
                log.info("restoring: %d records so far, partitions %s left%s", self._records, sorted(left), silent)
            self._apply(messages, left)
        for partition, store in self._stores.items():
            store.write({}, self._position(partition))
        return self._records

    def _start(self, partition: int) -> int:
        """First changelog offset to read. Rows that stand for more than the log holds are of another log."""
        position = self._stores[partition].position()
        low, _ = self._consumer.get_watermark_offsets(
            TopicPartition(self._table.changelog, partition), SILENCE_TIMEOUT_S
        )
        if position is not None and not low <= position.offset + 1 <= self._wanted[partition]:
            log.warning(
                "partition %d: the local state is not of this changelog; restoring it from the start", partition
            )
            self._stores[partition] = self._stores[partition].wipe()
            self._table.replace(partition, self._stores[partition])
            position = None
        start = low if position is None else position.offset + 1
        self._ends[partition] = start - 1
        return start

    def _apply(self, messages: list[Message], left: set[int]) -> None:
        rows: dict[int, dict[bytes, bytes | None]] = defaultdict(dict)
        for message in messages:
            partition, offset, error = message.partition() or 0, message.offset() or 0, message.error()
            if error is None:
                rows[partition][message.key() or b""] = message.value()
                self._ends[partition] = offset
                self._records += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                # The log may end in transaction markers, which nobody is shown: the end is behind the last record.
                self._ends[partition] = max(self._ends[partition], offset - 1)
                if offset >= self._wanted[partition]:
                    left.discard(partition)
            else:
                raise BrokerError(f"{self._table.changelog}: {error}")
        for partition, of_partition in rows.items():
            self._stores[partition].write(of_partition, self._position(partition))
        self._metrics.add("restored_rows_total", sum(map(len, rows.values())))

    def _position(self, partition: int) -> Position:
        return Position(self._ends[partition], int(time.time() * 1000), self._topic_id)
