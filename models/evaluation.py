"""Hits of ranked lists in what users do next, beside plain popularity."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from models.interning import Interner


@dataclass
class HitRate:
    """Share of the events whose item was in the list shown before."""

    hits: int = 0
    events: int = 0

    def add(self, hit: bool) -> None:
        """Count one event."""
        self.hits += hit
        self.events += 1

    @property
    def rate(self) -> float:
        """HR; 0 without events."""
        return self.hits / self.events if self.events else 0.0

    @property
    def standard_error(self) -> float:
        """Standard error of the rate, events taken as independent."""
        return math.sqrt(self.rate * (1 - self.rate) / self.events) if self.events else 0.0


class TakenItems:
    """How often each item was taken so far."""

    def __init__(self) -> None:
        self._items, self._counts = Interner(), np.zeros(1024, np.int64)
        self.events = 0

    @property
    def ids(self) -> list[str]:
        """The items that were taken. Read only."""
        return self._items.ids

    def add(self, item: str) -> None:
        """An item was taken once more."""
        number = self._items.number(item)
        if number >= len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._counts[number] += 1
        self.events += 1

    def count(self, item: str) -> int:
        """How often an item was taken."""
        number = self._items.known(item)
        return 0 if number is None else int(self._counts[number])

    def rank(self, item: str, history: Collection[str]) -> int | None:
        """Items ahead of this one, those of a history left out; of those as frequent half, as if drawn.

        None: it was never taken. `history`: items that were taken.
        """
        count, theirs = self.count(item), self._counts[self._items.numbers(history)]
        if not count:
            return None
        ahead = np.count_nonzero(self._counts > count) - np.count_nonzero(theirs > count)
        ties = np.count_nonzero(self._counts == count) - np.count_nonzero(theirs == count) - 1
        return int(ahead + ties // 2)

    def most_frequent(self, most: int, history: Collection[str]) -> list[str]:
        """The `most` most frequent items without those of a history; of those as frequent the older ones."""
        among = min(most + len(history), len(self._items))
        if not among:
            return []
        counts, ids = self._counts[: len(self._items)], self._items.ids
        best = np.argpartition(-counts, among - 1)[:among]
        ranked = best[np.lexsort((best, -counts[best]))].tolist()
        return [ids[number] for number in ranked if ids[number] not in history][:most]


@dataclass
class NextEvents:
    """Follows events one by one; compares a user's newest list, and popularity, with the user's next new item.

    An event counts when its item is new to the user and the user has a history and a list.
    """

    k: int = 10
    lists: HitRate = field(default_factory=HitRate)
    popular: HitRate = field(default_factory=HitRate)
    _taken: TakenItems = field(default_factory=TakenItems)
    _histories: dict[str, set[str]] = field(default_factory=dict)

    def see(self, user: str, item: str, newest_list: list[str] | None) -> None:
        """The next event; `newest_list` is what the user was shown before it, best first (None: nothing yet)."""
        history = self._histories.get(user, set())
        if history and item not in history and newest_list is not None:
            self.lists.add(item in newest_list[: self.k])
            self.popular.add(item in self._taken.most_frequent(self.k, history))
        self.learn(user, item)

    def learn(self, user: str, item: str) -> None:
        """An event that is not compared: it only makes history and popularity."""
        self._taken.add(item)
        self._histories.setdefault(user, set()).add(item)
