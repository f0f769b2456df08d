"""Brings a store up to its changelog: what a restore and a standby share."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from agents.runtime.clients import committed_consumer
from agents.runtime.offsets import broker_errors
from agents.runtime.seal import EMPTY, SEAL_KEY, checksum, unpack_seal
from agents.runtime.store import PartitionStore, Position
from agents.settings import Settings
from agents.topics import DAY_MS

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 60.0
OLDEST_LOCAL_STATE_MS = DAY_MS
"""Kafka keeps a compacted deletion for a day (`delete.retention.ms`); older local rows may miss one."""
LOAD_FROM = 10_000
"""So many records are worth opening the store twice."""
BUSY_S = 0.005
"""How often to look whether RocksDB takes rows again."""


def changelog_consumer(settings: Settings, group: str, queue_kb: int) -> Consumer:
    """Reads committed records of changelogs, in large fetches."""
    return committed_consumer(
        settings,
        group,
        **{
            "enable.partition.eof": True,
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": queue_kb,
            "fetch.message.max.bytes": 4 * 1024 * 1024,
            "fetch.wait.max.ms": 10,
            # The mock cluster changes batches after their checksum is made.
            "check.crcs": not settings.embedded,
        },
    )


def log_bounds(settings: Settings, group: str, topic: str, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
    """First offset, and the one after the last, of each partition, open transactions included.

    The last stable offset is no end: what a dead owner left open holds it back, also before rows that were committed
    after that began, until the broker has ended its transaction.
    """
    consumer = committed_consumer(settings, group, **{"isolation.level": "read_uncommitted"})
    try:
        with broker_errors(f"cannot read the ends of {topic}"):
            places = {partition: TopicPartition(topic, partition) for partition in partitions}
            return {p: consumer.get_watermark_offsets(place, ANSWER_TIMEOUT_S) for p, place in places.items()}
    finally:
        consumer.close()


@dataclass
class Chunk:
    """What was read of one partition at once."""

    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    """Newest value of each key."""
    last: Message | None = None


def split(messages: Sequence[Message]) -> tuple[dict[int, Chunk], dict[int, int]]:
    """Rows by partition, and the offset of each end of a partition that was seen. Raises `KafkaException`."""
    chunks: dict[int, Chunk] = defaultdict(Chunk)
    ends = {}
    for message in messages:
        error = message.error()
        if error is None:
            chunk = chunks[message.partition() or 0]
            chunk.rows[message.key() or b""] = message.value()
            chunk.last = message
        elif error.code() == KafkaError._PARTITION_EOF:
            ends[message.partition() or 0] = message.offset() or 0
        else:
            raise KafkaException(error)
    return chunks, ends


class Follower:
    """One store and how far it is. Written by one thread."""

    def __init__(self, partition: int, store: PartitionStore, topic_id: str, bounds: tuple[int, int]) -> None:
        """`bounds`: the first offset in the log, and the one after the last. Wipes a store that cannot be used."""
        low, high = bounds
        store.end_load()  # an earlier reading may have been given up
        self.partition, self.store = partition, store
        self._topic_id, self._began_ms = topic_id, int(time.time() * 1000)
        reason = self._unusable(low, high)
        if reason is not None:
            log.warning("partition %d: %s; restoring it from the start", partition, reason)
            store.wipe()
        known = store.position()
        self.fresh = known is None
        """Whether every row in the store is from this reading."""
        self.first = low if known is None else known.offset + 1
        """Changelog offset to read from."""
        tally = EMPTY if known is None else known.tally
        rows = 0 if tally is None else tally.rows
        # A load does not read rows and cannot keep the tally: that takes a look at each row in the end.
        self._loading = high - self.first > max(LOAD_FROM, rows)
        self.position = Position(
            self.first - 1,
            self._began_ms if known is None else known.at_ms,
            topic_id,
            None if self._loading else tally,
            None if known is None else known.seal,
        )
        self._at_seal = False
        if self._loading:
            store.begin_load()

    def _unusable(self, low: int, high: int) -> str | None:
        position = self.store.position()
        if position is None:
            return None
        if position.topic_id and position.topic_id != self._topic_id:
            return "the changelog topic was made anew"
        if self._began_ms - position.at_ms > OLDEST_LOCAL_STATE_MS:
            return "the local state is older than Kafka keeps deletions"
        if not low <= position.offset + 1 <= high:
            return "the local state is not of this changelog"
        return None

    def apply(self, chunk: Chunk) -> int:
        """Write what was read. Returns the number of rows."""
        rows, last = chunk.rows, chunk.last
        assert last is not None
        seal = unpack_seal(rows.pop(SEAL_KEY)) if SEAL_KEY in rows else self.position.seal
        self._at_seal = last.key() == SEAL_KEY
        tally = self.position.tally
        if tally is not None:
            keys = list(rows)
            tally = tally.after(rows, list(map(checksum, keys, self.store.read(keys))))
        self._write(rows, offset=last.offset(), seal=seal, tally=tally)
        return len(rows)

    def passed(self, end: int) -> None:
        """The log was read to before `end`: it may end in transaction markers, which nobody is shown."""
        if end - 1 > self.position.offset:
            self.position = msgspec.structs.replace(self.position, offset=end - 1)

    def complete(self) -> None:
        """All that the log held when this reading began is in the rows: put them on disk, and count them if need be."""
        for _ in self.completing():
            continue

    def completing(self) -> Iterator[None]:
        """The same in small steps: it may be given up in between, and is then to be done again."""
        self.store.end_load()
        tally = self.position.tally
        if tally is None:
            for counted in self.store.count():
                tally = counted
                yield
        self._write({}, at_ms=self._began_ms, tally=tally)

    def refresh(self, now_ms: int) -> None:
        """Note down that the rows are all that the log holds now."""
        self._write({}, at_ms=now_ms)

    @property
    def sound(self) -> bool:
        """Whether the rows add up to their seal, as far as that can be told at the offset that was read."""
        tally, seal = self.position.tally, self.position.seal
        return not self._at_seal or tally is None or seal is None or tally == seal.tally

    def _write(self, rows: dict[bytes, bytes | None], **changes: object) -> None:
        while self.store.busy():
            time.sleep(BUSY_S)  # RocksDB tells nobody; a write would wait with all threads of the process
        self.position = msgspec.structs.replace(self.position, **changes)
        self.store.write(rows, self.position)
