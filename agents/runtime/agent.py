"""What the runtime asks of an agent, and the table as the agent sees it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from agents.runtime.batch import Batch
from agents.runtime.transaction import Transaction


class TableReader(Protocol):
    """Committed rows of the owned partitions."""

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows at once; None where there is no row."""
        ...

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, in the order of keys."""
        ...


class Agent(Protocol):
    """One kind of work on batches. Methods are called one at a time, from one thread."""

    def assigned(self, partitions: frozenset[int], table: TableReader) -> None:
        """Exactly these partitions are owned from now on, all restored. What is cached of before must go."""
        ...

    def absorb(self, batch: Batch, transaction: Transaction) -> None:
        """Work on a batch. What it writes and sends happens as a whole or, when it raises, not at all."""
        ...

    def pending(self) -> bool:
        """Whether there is work without input; then `absorb` gets an empty batch from time to time."""
        ...

    def refresh(self) -> None:
        """Called between batches, many times a second: take over what views read."""
        ...
