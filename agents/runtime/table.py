"""The table of a worker: one store for each owned partition."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agents.runtime.store import PartitionStore, Position


class Table:
    """Rows of the owned partitions; other partitions are closed."""

    def __init__(self, folder: Path, changelog: str) -> None:
        self.changelog = changelog
        self._folder = folder
        self._stores: dict[int, PartitionStore] = {}

    def open(self, partitions: frozenset[int]) -> Mapping[int, PartitionStore]:
        """Open exactly these partitions."""
        for partition in set(self._stores) - partitions:
            self._stores.pop(partition).close()
        for partition in partitions - set(self._stores):
            self._stores[partition] = PartitionStore(self._folder / str(partition))
        return dict(self._stores)

    def replace(self, partition: int, store: PartitionStore) -> None:
        """Use another store for a partition: the old one was wiped."""
        self._stores[partition] = store

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows at once; None where there is no row."""
        return self._stores[partition].read(keys)

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, in the order of keys."""
        return self._stores[partition].scan(prefix)

    def write(self, partition: int, rows: Mapping[bytes, bytes | None], offset: int, now_ms: int) -> None:
        """Write rows that are committed in the changelog up to `offset`."""
        store = self._stores[partition]
        known = store.position()
        store.write(rows, Position(offset, now_ms, known.topic_id if known is not None else ""))

    def close(self) -> None:
        """Close all partitions."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
