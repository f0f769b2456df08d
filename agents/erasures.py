"""Who was erased and when, so that older records do not bring a user back before every topic has forgotten them.

Rows of the `profiles` table, in the user's partition: `\\0erased<hash of the user>` → `Erasure`. No user id begins with
a control character. The rows are few, so they are also kept in memory.
"""

import hashlib
from collections.abc import Iterable

from agents.packed import ERASURE, Erasure
from agents.runtime.agent import TableReader, TransactionLike
from agents.topics import DAY_MS

PREFIX = b"\0erased"
HASH_BYTES = 16
LOOKED_AFTER_MS = 60_000
"""How often it is looked for erasures that need not be remembered any more."""


def erasure_key(user: bytes) -> bytes:
    """Key of a user's erasure in the `profiles` table; a hash, for the table is to know the user no more."""
    return PREFIX + hashlib.sha256(user).digest()[:HASH_BYTES]


class Erasures:
    """The erasures of the owned partitions."""

    def __init__(self, kept_days: int) -> None:
        self._kept_ms = kept_days * DAY_MS
        self._at_ms: dict[int, dict[bytes, int]] = {}
        self._looked_ms = 0

    def load(self, partitions: Iterable[int], table: TableReader) -> None:
        """Take over what the table holds of exactly these partitions."""
        self._at_ms = {
            partition: {key: ERASURE.read(value).at_ms for key, value in table.scan(partition, PREFIX)}
            for partition in partitions
        }

    def of(self, partition: int, user: bytes) -> int:
        """Kafka time (ms) up to which nothing of this user counts; 0: the user was not erased."""
        erased = self._at_ms.get(partition)
        return erased.get(erasure_key(user), 0) if erased else 0

    def note(self, partition: int, user: bytes, at_ms: int, transaction: TransactionLike) -> None:
        """Remember an erasure."""
        key = erasure_key(user)
        self._at_ms.setdefault(partition, {})[key] = at_ms
        transaction.write(partition, key, ERASURE.write(Erasure(at_ms)))

    def let_go(self, transaction: TransactionLike) -> None:
        """Delete erasures that are older than what any topic keeps."""
        if transaction.now_ms - self._looked_ms < LOOKED_AFTER_MS:
            return
        self._looked_ms = transaction.now_ms
        for partition, erased in self._at_ms.items():
            for key in [key for key, at_ms in erased.items() if at_ms < transaction.now_ms - self._kept_ms]:
                del erased[key]
                transaction.write(partition, key, None)
