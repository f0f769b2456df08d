"""The table of a worker: one store for each owned partition."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agents.runtime.seal import EMPTY, Absorbed, Seal
from agents.runtime.store import PartitionStore, Position


class Table:
    """Rows of the owned partitions; other partitions are closed."""

    def __init__(self, folder: Path, changelog: str) -> None:
        self.changelog = changelog
        self.source_ids: Mapping[str, str] = {}
        """Id of each source topic, as far as the broker tells."""
        self._folder = folder
        self._stores: dict[int, PartitionStore] = {}

    def path(self, partition: int) -> Path:
        """Folder of one partition's store."""
        return self._folder / str(partition)

    def open(self, partitions: frozenset[int]) -> Mapping[int, PartitionStore]:
        """Open exactly these partitions."""
        for partition in set(self._stores) - partitions:
            self._stores.pop(partition).close()
        for partition in partitions - set(self._stores):
            self._stores[partition] = PartitionStore(self.path(partition))
        return dict(self._stores)

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows at once; None where there is no row."""
        return self._stores[partition].read(keys)

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, in the order of keys."""
        return self._stores[partition].scan(prefix)

    def places(self, partition: int) -> dict[str, int]:
        """Source topic → next offset that the rows of a partition stand for."""
        position = self._stores[partition].position()
        sealed = position.seal if position is not None else None
        return {topic: absorbed.next_offset for topic, absorbed in sealed.sources.items()} if sealed is not None else {}

    def seal(
        self,
        partition: int,
        rows: Mapping[bytes, bytes | None],
        before: Sequence[int | None],
        next_offsets: Mapping[str, int],
    ) -> Seal:
        """The seal of the partition after these changes.

        `before` has the checksum of each row until now; `next_offsets` are those of the source topics that moved.
        """
        position = self._stores[partition].position()
        tally = position.tally if position is not None else None
        sealed = position.seal if position is not None else None
        moved = {topic: Absorbed(offset, self.source_ids.get(topic, "")) for topic, offset in next_offsets.items()}
        return Seal((tally or EMPTY).after(rows, before), {**(sealed.sources if sealed is not None else {}), **moved})

    def write(
        self, partition: int, rows: Mapping[bytes, bytes | None], offset: int, now_ms: int, seal: Seal | None = None
    ) -> None:
        """Write rows that are committed in the changelog, with their seal at `offset`."""
        store = self._stores[partition]
        known = store.position() or Position(offset, now_ms)
        tally = seal.tally if seal is not None else None
        store.write(rows, msgspec.structs.replace(known, offset=offset, at_ms=now_ms, tally=tally, seal=seal))

    def close(self) -> None:
        """Close all partitions."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
