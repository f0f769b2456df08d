"""Hits of ranked lists in what users do next, beside plain popularity."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

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


@dataclass
class NextEvents:
    """Follows events one by one; compares a user's newest list, and popularity, with the user's next new item.

    An event counts when its item is new to the user and the user has a history and a list.
    """

    k: int = 10
    lists: HitRate = field(default_factory=HitRate)
    popular: HitRate = field(default_factory=HitRate)
    _items: Interner = field(default_factory=Interner)
    _counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1024, np.int64))
    _histories: dict[str, set[int]] = field(default_factory=dict)

    def see(self, user: str, item: str, newest_list: list[str] | None) -> None:
        """The next event; `newest_list` is what the user was shown before it, best first (None: nothing yet)."""
        number = self._number(item)
        history = self._histories.setdefault(user, set())
        if history and number not in history and newest_list is not None:
            self.lists.add(item in newest_list[: self.k])
            self.popular.add(number in self._most_popular(history))
        self.learn(user, item)

    def learn(self, user: str, item: str) -> None:
        """An event that is not compared: it only makes history and popularity."""
        number = self._number(item)
        self._counts[number] += 1
        self._histories.setdefault(user, set()).add(number)

    def _number(self, item: str) -> int:
        number = self._items.number(item)
        if number >= len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        return number

    def _most_popular(self, without: set[int]) -> set[int]:
        """The k most popular items that the user does not have."""
        counts = self._counts[: len(self._items)]
        most = min(self.k + len(without), len(counts))
        best = np.argpartition(-counts, most - 1)[:most]
        ranked = best[np.lexsort((best, -counts[best]))].tolist()
        return set([number for number in ranked if number not in without][: self.k])
