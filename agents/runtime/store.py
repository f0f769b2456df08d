"""One partition of a table on disk: rows, and the changelog offset that they stand for, written together.

While a store is loaded (a restore of many rows) it has no write-ahead log, and its memory tables take rows unsorted:
that is four times as fast. What is flushed then is a prefix of what was written, position included, so that a process
that is killed goes on behind it.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
from rocksdict import (
    BlockBasedOptions,
    Cache,
    MemtableFactory,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from agents.errors import SetupError
from agents.runtime.seal import Seal, Tally

_REMEDY = (
    "Make room on the disk of PROFILESTREAM_DATA_DIR, or delete the folder, and start again: nothing is lost, what was "
    "committed is in Kafka."
)

POSITION_KEY = b"\0position"
CACHE_BYTES = 128 * 1024 * 1024
WRITE_BUFFER_BYTES = 32 * 1024 * 1024
LOAD_BUFFER_BYTES = 16 * 1024 * 1024
"""A killed load reads again what is in up to three of these."""
ALL_WRITE_BUFFERS_BYTES = 128 * 1024 * 1024
COUNT_STEP = 10_000
BLOOM_BITS = 10
"""Bits for each key: one look-up in a hundred for a key that is not there goes to disk in vain."""

_cache = Cache(CACHE_BYTES)  # shared by all partitions of the process: a cache for each would multiply the memory
_write_buffers = WriteBufferManager(ALL_WRITE_BUFFERS_BYTES, False)  # so would unwritten rows of many partitions


def _options(loading: bool) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(3)
    options.set_write_buffer_manager(_write_buffers)
    options.set_max_background_jobs(2)
    if loading:
        options.set_write_buffer_size(LOAD_BUFFER_BYTES)
        options.set_memtable_factory(MemtableFactory.vector())
        options.set_allow_concurrent_memtable_write(False)
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(BLOOM_BITS, block_based=False)
    blocks.set_block_cache(_cache)
    blocks.set_cache_index_and_filter_blocks(True)
    options.set_block_based_table_factory(blocks)
    return options


class Position(msgspec.Struct, frozen=True):
    """How far a store follows its changelog."""

    offset: int
    """Offset of the last changelog record that is in the rows."""
    at_ms: int
    """When the rows last were all that the changelog held, ms since 1970."""
    topic_id: str = ""
    """The changelog's id: a topic that was deleted and made again has another."""
    tally: Tally | None = None
    """What the rows add up to; None: not known, they must be counted."""
    seal: Seal | None = None
    """The newest seal up to this offset; None: there is none."""


_positions = msgspec.json.Decoder(Position)


class PartitionStore:
    """Rows of one partition. Keys and values are bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open(loading=False)

    def _open(self, *, loading: bool) -> None:
        self._in_load = loading
        self._write_options = WriteOptions()
        self._write_options.disable_wal = loading  # type: ignore[method-assign,assignment]  # the stub takes it for a method
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # rocksdict takes the stored options of a family that is not named here, without filter and cache.
            self._db = Rdict(str(self.path), _options(loading), column_families={"default": _options(loading)})
        except Exception as exc:
            raise SetupError(
                f"cannot open the local state in {self.path}: {exc}\n  "
                "Make the folder of PROFILESTREAM_DATA_DIR writable, or delete it: the state is restored from Kafka."
            ) from exc
        raw = self._db.get(POSITION_KEY)
        self._position = None if raw is None else _positions.decode(raw)

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Many rows in one call. Raises `SetupError` if the disk does not give them."""
        try:
            found: Any = self._db.get(list(keys))
        except Exception as exc:
            raise self._cannot("read", exc) from exc
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
            raise self._cannot("read", exc) from exc

    def count(self) -> Iterator[Tally]:
        """Reads all rows, two million in a second: the tally of more and more of them, of all in the end."""
        rows = total = 0
        items: Any = self._db.items()
        for key, value in items:
            if key != POSITION_KEY:
                rows += 1
                total += crc32(value, crc32(key))
                if rows % COUNT_STEP == 0:
                    yield Tally(rows, total)
        yield Tally(rows, total)

    def position(self) -> Position | None:
        """How far the rows follow the changelog; None: nothing was written yet."""
        return self._position

    def write(self, rows: Mapping[bytes, bytes | None], position: Position) -> None:
        """Write rows (None deletes) and the position, all or nothing. Raises `SetupError` if the disk is full."""
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                put(key, value)
        put(POSITION_KEY, msgspec.json.encode(position))
        try:
            self._db.write(batch, self._write_options)
        except Exception as exc:
            raise self._cannot("write", exc) from exc
        self._position = position

    def busy(self) -> bool:
        """Whether a write would wait, holding up every thread of the process, until rows are flushed or compacted."""
        return self._in_load and bool(self._db.property_int_value("rocksdb.is-write-stopped"))

    def begin_load(self) -> None:
        """Many rows are about to be written, and none read until `end_load`."""
        self._db.close()
        self._open(loading=True)

    def end_load(self) -> None:
        """All rows are on disk; from now on each write is."""
        if self._in_load:
            try:
                self._db.flush()
            except Exception as exc:
                raise self._cannot("write", exc) from exc
            self._db.close()
            self._open(loading=False)

    def _cannot(self, what: str, exc: Exception) -> SetupError:
        return SetupError(f"cannot {what} the local state in {self.path}: {exc}\n  {_REMEDY}")

    def close(self) -> None:
        """Give the files free."""
        self._db.close()

    def wipe(self) -> None:
        """Delete everything."""
        self._db.close()
        shutil.rmtree(self.path)
        self._open(loading=False)
