"""What the catalogue says of items, by item number: words (categories and tags), availability, when they came."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.cooccurrence import Ints
from models.interning import Interner


@dataclass(frozen=True)
class Entry:
    """One catalogue entry."""

    categories: Sequence[str] = ()
    tags: Sequence[str] = ()
    available: bool = True
    added_at: float | None = None


class Catalogue:
    """All catalogue entries; an item that it does not know is available and has no words."""

    def __init__(self, items: Interner) -> None:
        self.items = items
        self._entries: dict[int, Entry] = {}
        self._by_word: dict[str, set[int]] = {}
        self._unavailable: set[int] = set()
        self.changes = 0
        """Entries put so far: what was made from the catalogue is good while this stays."""

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, item: str, entry: Entry | None) -> None:
        """Add, replace or (None) delete an entry. A deleted item is not available."""
        self.changes += 1
        number = self.items.number(item)
        old = self._entries.pop(number, None)
        for word in _words(old):
            self._by_word[word].discard(number)
        if entry is not None:
            self._entries[number] = entry
            for word in _words(entry):
                self._by_word.setdefault(word, set()).add(number)
        if entry is None or not entry.available:
            self._unavailable.add(number)
        else:
            self._unavailable.discard(number)

    def words_of(self, item: str) -> Sequence[str]:
        """Categories and tags of an item, without doubles."""
        number = self.items.known(item)
        return _words(self._entries.get(number)) if number is not None else ()

    def with_word(self, word: str) -> Ints:
        """Numbers of the items that have this category or tag, ascending."""
        return np.sort(np.fromiter(self._by_word.get(word, ()), np.int64))

    def numbers(self) -> Ints:
        """Numbers of all items with an entry, ascending."""
        return np.sort(np.fromiter(self._entries, np.int64, len(self._entries)))

    def unavailable(self) -> Ints:
        """Numbers of items that must not be offered, int64 [≤ n]."""
        return np.fromiter(self._unavailable, np.int64, len(self._unavailable))

    def having(self, categories: Sequence[str], tags: Sequence[str] = ()) -> Ints:
        """Numbers of the items with one of these categories or one of these tags, int64, doubles possible."""
        found = [
            number
            for words, kind in ((categories, "categories"), (tags, "tags"))
            for word in words
            for number in self._by_word.get(word, ())
            if word in getattr(self._entries[number], kind)
        ]
        return np.array(found, np.int64)

    def in_categories(self, categories: Sequence[str], size: int) -> NDArray[np.bool_]:
        """Mask over item numbers: the item has one of these categories, bool [size]."""
        mask = np.zeros(size, bool)
        mask[self.having(categories)] = True
        return mask

    def newest(self, numbers: Ints, most: int) -> Ints:
        """Of these items the `most` that came last, newest first; items without a date are left out."""
        dated = [
            (-entry.added_at, number)
            for number in numbers.tolist()
            if (entry := self._entries.get(number)) is not None and entry.added_at is not None
        ]
        return np.array([number for _, number in heapq.nsmallest(most, dated)], np.int64)


def _words(entry: Entry | None) -> Sequence[str]:
    if entry is None:
        return ()
    if not entry.tags:
        return entry.categories
    return list(dict.fromkeys([*entry.categories, *entry.tags]))
