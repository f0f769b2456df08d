"""Which partition a key belongs to: `murmur2(key) mod partitions`, the default of Kafka's Java producer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SEED = np.uint32(0x9747B28C)
_M = np.uint32(0x5BD1E995)
_R = np.uint32(24)


def partitions_of(keys: Sequence[bytes], count: int) -> NDArray[np.int64]:
    """The partitions of many keys among `count`, int64 [len(keys)]; one array step per 4 bytes of the longest key."""
    if not keys:
        return np.zeros(0, np.int64)
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    words = (int(lengths.max()) + 3) // 4
    padded = np.frombuffer(b"".join(key.ljust(4 * words, b"\0") for key in keys), "<u4").reshape(len(keys), words)
    hashed = _SEED ^ lengths.astype(np.uint32)
    with np.errstate(over="ignore"):
        for word in range(words):
            left = lengths - 4 * word
            mixed = padded[:, word] * _M
            mixed = (mixed ^ (mixed >> _R)) * _M
            whole = (hashed * _M) ^ mixed
            rest = (hashed ^ padded[:, word]) * _M  # the last 1 to 3 bytes; what is beyond them is padded with zeros
            hashed = np.where(left >= 4, whole, np.where(left > 0, rest, hashed))
        hashed = (hashed ^ (hashed >> np.uint32(13))) * _M
        hashed = hashed ^ (hashed >> np.uint32(15))
    return (hashed & np.uint32(0x7FFFFFFF)).astype(np.int64) % count


def partition_of(key: bytes, count: int) -> int:
    """The partition of one key among `count`."""
    return int(partitions_of([key], count)[0])
