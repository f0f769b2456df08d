"""One partition of a table on disk: rows, and the changelog offset that they stand for, written together."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, ReadOptions, WriteBatch, WriteBufferManager

from agents.errors import SetupError

POSITION_KEY = b"\0position"
CACHE_BYTES = 128 * 1024 * 1024
WRITE_BUFFER_BYTES = 32 * 1024 * 1024
ALL_WRITE_BUFFERS_BYTES = 128 * 1024 * 1024
BLOOM_BITS = 10
"""Bits for each key: one look-up in a hundred for a key that is not there goes to disk in vain."""

_REMEDY = (
    "Make room on the disk of PROFILESTREAM_DATA_DIR, or delete the folder, and start again: nothing is lost, what was "
    "committed is in Kafka."
)

_cache = Cache(CACHE_BYTES)  # shared by all partitions of the process: a cache for each would multiply the memory
_write_buffers = WriteBufferManager(ALL_WRITE_BUFFERS_BYTES, False)  # so would unwritten rows of many partitions


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(3)
    options.set_write_buffer_manager(_write_buffers)
    options.set_max_background_jobs(2)
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(BLOOM_BITS, block_based=False)
    blocks.set_block_cache(_cache)
    blocks.set_cache_index_and_filter_blocks(True)
    options.set_block_based_table_factory(blocks)
    return options


@dataclass(frozen=True)
class Position:
    """How far a store follows its changelog."""

    offset: int
    """Offset of the last changelog record that is in the rows."""
    at_ms: int
    """When that was written, ms since 1970."""
    topic_id: str = ""
    """The changelog's id: a topic that was deleted and made again has another."""


class PartitionStore:
    """Rows of one partition. Keys and values are bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # rocksdict takes the stored options of a family that is not named here, without filter and cache.
            self._db = Rdict(str(path), _options(), column_families={"default": _options()})
        except Exception as exc:
            raise SetupError(
                f"cannot open the local state in {path}: {exc}\n  "
                "Make the folder of PROFILESTREAM_DATA_DIR writable, or delete it: the state is restored from Kafka."
            ) from exc

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows in one call. Raises `SetupError` if the disk does not give them."""
        try:
            found: Any = self._db.get(list(keys))
        except Exception as exc:
            raise SetupError(f"cannot read the local state in {self.path}: {exc}\n  {_REMEDY}") from exc
        return list(found)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, in the order of keys. Raises `SetupError` if the disk fails."""
        options = ReadOptions()
        iterator = self._db.iter(options)
        iterator.seek(prefix)
        while iterator.valid():
            key = iterator.key()
            if not key.startswith(prefix):
                return
            if key != POSITION_KEY:
                yield key, iterator.value()
            iterator.next()
        try:
            iterator.status()  # at a damaged block it ends as if there were no more rows
        except Exception as exc:
            raise SetupError(f"cannot read the local state in {self.path}: {exc}\n  {_REMEDY}") from exc

    def position(self) -> Position | None:
        """How far the rows follow the changelog; None: nothing was written yet."""
        raw = self._db.get(POSITION_KEY)
        return None if raw is None else Position(**json.loads(raw))

    def write(self, rows: Mapping[bytes, bytes | None], position: Position) -> None:
        """Write rows (None deletes) and the position, all or nothing. Raises `SetupError` if the disk is full."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(POSITION_KEY, json.dumps(vars(position)).encode())
        try:
            self._db.write(batch)
        except Exception as exc:
            raise SetupError(f"cannot write the local state in {self.path}: {exc}\n  {_REMEDY}") from exc

    def close(self) -> None:
        """Give the files free."""
        self._db.close()

    def wipe(self) -> "PartitionStore":
        """Delete everything; returns the empty store that takes its place."""
        self._db.close()
        shutil.rmtree(self.path)
        return PartitionStore(self.path)
