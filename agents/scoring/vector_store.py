"""Embeddings on disk, by model and text, so that a restart embeds only what changed.

One append-only file for each model version:

    header   8 bytes `PSVEC001`, dimension as little-endian uint32
    records  16 bytes of the text's SHA-256, dimension × float32, CRC-32 of both as uint32

A torn or damaged record is passed over and its text embedded anew. The file is a cache: it may be deleted at any time
while the worker is down.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from agents.errors import SetupError

Floats = NDArray[np.float32]

MAGIC = b"PSVEC001"
KEY_BYTES = 16
_HEADER = struct.Struct("<8sI")


class VectorStore:
    """The file of one model version. For one process and one thread at a time."""

    def __init__(self, folder: Path, version: str, dimension: int) -> None:
        """Open or create it. Raises SetupError if the folder cannot be written."""
        self.path = folder / f"{version}.vectors"
        self._dimension = dimension
        self._record = np.dtype([("key", f"S{KEY_BYTES}"), ("vector", "<f4", (dimension,)), ("crc", "<u4")])
        self._raw = np.dtype([("body", f"V{KEY_BYTES + 4 * dimension}"), ("crc", "<u4")])
        self._places: dict[bytes, int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
        except OSError as exc:
            raise SetupError(
                f"the embeddings cannot be kept in {folder}: {exc}\n  Set PROFILESTREAM_DATA_DIR to a writable folder."
            ) from exc
        self._count = self._load()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Texts that have a vector."""
        return len(self._places)

    @property
    def records(self) -> int:
        """Records in the file, also of texts that nobody asks for any more."""
        return self._count

    def find(self, texts: Sequence[str]) -> tuple[NDArray[np.intp], Floats]:
        """Which of the texts have a vector (places, ascending), and those vectors [len(places), d]."""
        found = [
            (at, place) for at, text in enumerate(texts) if (place := self._places.get(text_key(text))) is not None
        ]
        vectors = np.empty((len(found), self._dimension), np.float32)
        if found:
            rows = self._map()
            vectors[:] = rows["vector"][[place for _, place in found]]
        return np.array([at for at, _ in found], np.intp), vectors

    def add(self, texts: Sequence[str], vectors: Floats) -> None:
        """Append the vectors [len(texts), d] of these texts."""
        rows = np.zeros(len(texts), self._record)
        # The arrays are assigned as raw bytes: numpy strips zero bytes at the end of `S` values.
        keys = [text_key(text) for text in texts]
        raw = rows.view(np.uint8).reshape(len(texts), self._record.itemsize)
        raw[:, :KEY_BYTES] = np.frombuffer(b"".join(keys), np.uint8).reshape(len(texts), KEY_BYTES)
        rows["vector"] = vectors
        rows["crc"] = [zlib.crc32(body.tobytes()) for body in rows.view(self._raw)["body"]]
        self._file.write(rows.tobytes())
        self._file.flush()
        for key in keys:
            self._places[key] = self._count
            self._count += 1

    def keep_only(self, texts: Sequence[str]) -> None:
        """Rewrite the file with the vectors of these texts alone; the old one stays until the new one is complete."""
        places, vectors = self.find(texts)
        self._file.close()
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        old, self.path = self.path, fresh
        self._places, self._count = {}, 0
        self._file = self._open()
        self.add([texts[place] for place in places.tolist()], vectors)
        os.fsync(self._file.fileno())
        fresh.replace(old)
        self.path = old

    def close(self) -> None:
        """Nothing is lost without it but the last moments' records."""
        self._file.close()

    def _open(self) -> BinaryIO:
        head = _HEADER.pack(MAGIC, self._dimension)
        file = self.path.open("a+b")
        file.seek(0)
        if file.read(len(head)) != head:
            file.truncate(0)
            file.write(head)
            file.flush()
        # A torn record at the end would shift all that follows.
        size = file.seek(0, os.SEEK_END)
        file.truncate(size - (size - len(head)) % self._record.itemsize)
        return file

    def _map(self) -> NDArray[np.void]:
        return np.memmap(self.path, self._record, "r", _HEADER.size, (self._count,))

    def _load(self) -> int:
        count = (self.path.stat().st_size - _HEADER.size) // self._record.itemsize
        if count:
            rows = np.memmap(self.path, self._raw, "r", _HEADER.size, (count,))
            for place, row in enumerate(rows):
                body = row["body"].tobytes()
                if zlib.crc32(body) == row["crc"]:
                    self._places[body[:KEY_BYTES]] = place
        return count


def text_key(text: str) -> bytes:
    """What a text is found by."""
    return hashlib.sha256(text.encode()).digest()[:KEY_BYTES]
