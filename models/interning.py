"""Item ids as small integers, so that arrays can hold them.

A dictionary of a million ids lies outside the processor's cache, and a look-up waits for memory some times, one after
the other: half a microsecond an id. Many ids at once are therefore looked up by their hashes in a table of numbers,
where these waits overlap: a tenth of that. Python's hashes of strings have 64 bits and a secret key, so an id that is
not known has the hash of one that is with a chance of n / 2^64: 5 · 10^-14 among a million. If two known ids share one,
all are looked up in the dictionary from then on.
"""

from collections.abc import Collection, Iterable
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from models.kernels import compiled

Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]

UNKNOWN = -1
FEW = 16
"""So many ids are looked up in the dictionary: to call compiled code takes as long."""
_FIRST_SLOTS = 1024


class _Numbers(dict[str, int]):
    """id → number; an unknown id gets the next number."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__((id_, number) for number, id_ in enumerate(ids))
        self.ids = ids

    def __missing__(self, id_: str) -> int:
        number = self[id_] = len(self.ids)
        self.ids.append(id_)
        return number


class Interner:
    """Gives each id a number, 0, 1, 2 … in the order of first sight; numbers are never reused."""

    def __init__(self, ids: Collection[str] = ()) -> None:
        self._numbers = _Numbers(list(ids))
        self._hashes, self._slots = np.zeros(_FIRST_SLOTS, np.int64), np.zeros(_FIRST_SLOTS, np.int32)
        self._hashed = 0
        """Ids 0 … that are in the table of hashes."""
        self._clash = False
        """Two ids have one hash."""
        nothing = np.zeros(0, np.int64)  # compiles, or loads, what the first batch must not wait for
        _find(nothing, self._hashes, self._slots)
        _put(nothing, 0, self._hashes, self._slots)

    def __len__(self) -> int:
        return len(self._numbers.ids)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._numbers

    @property
    def ids(self) -> list[str]:
        """number → id. Read only."""
        return self._numbers.ids

    def number(self, id_: str) -> int:
        """The number of one id."""
        return self._numbers[id_]

    def numbers(self, ids: Collection[str]) -> Ints:
        """The numbers of many ids, int64 [len(ids)]."""
        found = self.find(ids)
        if len(new := np.flatnonzero(found < 0)):
            listed = list(ids)
            found[new] = [self._numbers[listed[place]] for place in new.tolist()]
        return found

    def known(self, id_: str) -> int | None:
        """The number of an id that was seen before, else None."""
        return self._numbers.get(id_)

    def find(self, ids: Collection[str]) -> Ints:
        """The numbers of many ids, `UNKNOWN` for those that were not seen before, int64 [len(ids)]."""
        if not self.ids:  # without a catalogue each list asks for all its candidates
            return np.full(len(ids), UNKNOWN, np.int64)
        if len(ids) > FEW and not self._clash:
            self._hash_new()
            if not self._clash:
                return _find(_hashes(ids, len(ids)), self._hashes, self._slots)
        return np.fromiter(map(self._numbers.get, ids, repeat(UNKNOWN)), np.int64, len(ids))

    def _hash_new(self) -> None:
        """Put the ids that came since the last time into the table of hashes, which is at most half full."""
        ids, begin = self.ids, self._hashed
        if begin == len(ids):
            return
        if 2 * len(ids) > len(self._slots):
            size = 1 << (4 * len(ids) - 1).bit_length()
            self._hashes, self._slots, begin = np.zeros(size, np.int64), np.zeros(size, np.int32), 0
        self._clash = _put(_hashes(ids[begin:], len(ids) - begin), begin, self._hashes, self._slots)
        self._hashed = len(ids)


def _hashes(ids: Iterable[str], count: int) -> Ints:
    return np.fromiter(map(hash, ids), np.int64, count)


@compiled
def _put(new: Ints, first: int, hashes: Ints, slots: Ints32) -> bool:
    """Put hashes, of the numbers `first` …, into a table of hashes and numbers + 1; whether one was there before."""
    last = len(slots) - 1
    for place in range(len(new)):
        slot = new[place] & last
        while slots[slot]:
            if hashes[slot] == new[place]:
                return True
            slot = (slot + 1) & last
        hashes[slot], slots[slot] = new[place], first + place + 1
    return False


@compiled
def _find(wanted: Ints, hashes: Ints, slots: Ints32) -> Ints:
    """The numbers of hashes, −1 for those that are not in the table."""
    last = len(slots) - 1
    found = np.empty(len(wanted), np.int64)
    for place in range(len(wanted)):
        slot = wanted[place] & last
        while slots[slot] and hashes[slot] != wanted[place]:
            slot = (slot + 1) & last
        found[place] = slots[slot] - 1
    return found
