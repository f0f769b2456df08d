"""What the runtime asks of an agent, and the table as the agent sees it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from agents.cuts import Headers, Places
from agents.errors import RecordError
from agents.runtime.batch import Batch, Record
from agents.runtime.metrics import Name


class TableReader(Protocol):
    """Committed rows of the owned partitions."""

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows at once; None where there is no row."""
        ...

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, in the order of keys."""
        ...


class TransactionLike(Protocol):
    """What an agent may do with one batch; `runtime.transaction` does it on Kafka, `evaluation.memory` in memory."""

    now_ms: int

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows of the table, as this transaction sees them; None where there is no row."""
        ...

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write a row; None deletes it. The last write of a key counts."""
        ...

    def places(self, partitions: Iterable[int]) -> dict[int, Places]:
        """Where the sources of these partitions stand after this transaction."""
        ...

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        timestamp_ms: int = 0,
    ) -> None:
        """Send a record to an explicit partition. `timestamp_ms` 0: now."""
        ...

    def pass_on(self) -> None:
        """Let the broker have what was sent and written so far, while the work goes on."""
        ...

    def forward(self, record: Record, partition: int) -> None:
        """Send a record on to the partition of its topic where it belongs."""
        ...

    def dead_letter(self, record: Record, error: RecordError, traceback: str = "") -> None:
        """Put a bad record aside, with its reason."""
        ...

    def count(self, name: Name, amount: int = 1) -> None:
        """Add to a metric without labels."""
        ...

    def ignore(self, topic: str, reason: str, count: int) -> None:
        """Count good records that change nothing."""
        ...


class Agent(Protocol):
    """One kind of work on batches. Methods are called one at a time, from one thread."""

    def assigned(self, partitions: frozenset[int], table: TableReader) -> None:
        """Exactly these partitions are owned from now on, all restored. What is cached of before must go."""
        ...

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Work on a batch. What it writes and sends happens as a whole or, when it raises, not at all."""
        ...

    def pending(self) -> bool:
        """Whether there is work without input; then `absorb` gets an empty batch from time to time."""
        ...

    def refresh(self) -> None:
        """Called between batches, many times a second: take over what views read."""
        ...
