"""What stands for Kafka in an evaluation: rows and records in memory."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faust.types import TP

from agents.cuts import Headers, Places
from agents.errors import RecordError
from agents.runtime.batch import Batch, Record
from agents.runtime.metrics import Name
from agents.runtime.reading import ReadRecord


class MemoryTable:
    """Rows by partition."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[bytes, bytes]] = defaultdict(dict)

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows at once; None where there is no row."""
        return list(map(self._rows[partition].get, keys))

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, in the order of keys."""
        return iter(sorted(pair for pair in self._rows[partition].items() if pair[0].startswith(prefix)))

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write a row; None deletes it."""
        if value is None:
            self._rows[partition].pop(key, None)
        else:
            self._rows[partition][key] = value


@dataclass
class MemoryLog:
    """Topics: what was sent and not yet taken, and how long each partition is."""

    now_ms: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """Records that a worker would have put into the dead letters, by reason."""
    _waiting: dict[str, dict[int, list[ReadRecord]]] = field(default_factory=lambda: defaultdict(dict))
    _ends: Counter[TP] = field(default_factory=Counter)

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        timestamp_ms: int = 0,
    ) -> None:
        """Append a record; `timestamp_ms` 0: now."""
        place = TP(topic, partition)
        record = ReadRecord(topic, partition, self._ends[place], timestamp_ms or self.now_ms, key, value, headers or ())
        self._ends[place] += 1
        self._waiting[topic].setdefault(partition, []).append(record)

    def take(self, topic: str) -> Batch:
        """All that waits in a topic, as one batch."""
        runs: Mapping[TP, Sequence[Record]] = {
            TP(topic, partition): records for partition, records in self._waiting.pop(topic, {}).items()
        }
        return Batch(runs)


class MemoryTransaction:
    """What an agent does with one batch, at once: there is nothing that could fail in between."""

    def __init__(self, log: MemoryLog, table: MemoryTable) -> None:
        self.now_ms = log.now_ms
        self._log, self._table = log, table
        self.read, self.write, self.send = table.read, table.write, log.send

    def places(self, partitions: Iterable[int]) -> dict[int, Places]:
        """Nobody audits an evaluation."""
        return {partition: {} for partition in partitions}

    def pass_on(self) -> None:
        """Nothing is held."""

    def forward(self, record: Record, partition: int) -> None:
        """Send a record on to the partition of its topic where it belongs."""
        self._log.send(record.topic, partition, record.key, record.value, list(record.headers), record.timestamp)

    def dead_letter(self, record: Record, error: RecordError, traceback: str = "") -> None:  # noqa: ARG002
        """Count it by reason."""
        self._log.rejected[error.reason] += 1

    def count(self, name: Name, amount: int = 1) -> None:
        """Metrics are for workers."""

    def ignore(self, topic: str, reason: str, count: int) -> None:
        """Metrics are for workers."""
