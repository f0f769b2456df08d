"""The seal: the last record of every transaction in a changelog partition, which says what the rows add up to.

    row a  row b  SEAL  ▌marker▐  row a  SEAL  ▌marker▐        Seal: 2 rows, their checksums' sum, next source offsets

A `Tally` is the number of rows and the sum of the CRC-32 of (key, value) over all of them. A change of a row takes the
old checksum off and adds the new one, so the writer keeps it without reading the table. The order of rows does not
matter, nor what compaction removed: the rows that are left add up to the same. The seal is itself a row with one key:
compaction keeps the newest, and being newer than every row of its partition, it is always there.

What a restore notices, because the rows it has read do not add up to the newest seal: a row whose newest version is not
in the log, a row in an older version, a deleted row that is there again, a row of another writer, a key with the value
of another. (A change goes unseen if the sums of 32 bits come out the same: once in four thousand million.)

What it does not notice: a record that is there twice (it changes no row); a log that lost its end, seal included – but
the committed offsets are then ahead of those in the seal, which `offsets.py` notices; rows of the local store that rot
after they were counted (RocksDB has checksums of its own); rows that were wrong when they were written. Bits that turn
on the way are found by Kafka's checksum of each batch, which the consumer checks. Rows without a seal, written by an
earlier version of profilestream, are taken as they are.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec

from agents.errors import SetupError

SEAL_KEY = b"\0seal"


class Tally(NamedTuple):
    """What the rows of a partition add up to."""

    rows: int
    sum: int

    def after(self, changes: Mapping[bytes, bytes | None], before: Sequence[int | None]) -> "Tally":
        """The tally after these changes (None deletes); `before` has the checksum of each row until now, or None."""
        rows, total = self
        for (key, value), old in zip(changes.items(), before, strict=True):
            if old is not None:
                rows -= 1
                total -= old
            if value is not None:
                rows += 1
                total += crc32(value, crc32(key))
        return Tally(rows, total)


EMPTY = Tally(0, 0)


def checksum(key: bytes, value: bytes | None) -> int | None:
    """Checksum of one row; None for no row."""
    return None if value is None else crc32(value, crc32(key))


class Absorbed(NamedTuple):
    """How far a source topic's partition is in the rows."""

    next_offset: int
    topic_id: str
    """A topic that was deleted and made again has another; empty where the broker does not tell."""


class Seal(msgspec.Struct, frozen=True):
    """What the rows before it stand for."""

    tally: Tally
    sources: dict[str, Absorbed] = {}

    def pack(self) -> bytes:
        """As a changelog record."""
        return msgspec.json.encode(self)


_decoder = msgspec.json.Decoder(Seal)


def unpack_seal(value: bytes | None) -> Seal | None:
    """The seal of a changelog record; None if it was taken off. Raises `SetupError` if this version cannot read it."""
    if value is None:
        return None
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise SetupError(
            f"a seal in the changelog cannot be read: {exc}\n  "
            "A newer version of profilestream wrote it, or another program: run that version."
        ) from exc
