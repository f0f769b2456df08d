"""What profiles and co-counts must be, computed the plain way: one event after the other, dictionaries and loops.

The auditor and the tests compare the running state with this. It shares no arithmetic with `profile` and
`cooccurrence`, which do the same for whole batches; only what an event looks like and the constants are theirs.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from models.cooccurrence import DISTANCE_POWER, FIXED_POINT
from models.profile import BLOCKED_KEPT, LONGEST_WORD, SEARCHES_KEPT, STRENGTH_STEPS, EventLike, ProfileConfig
from models.similarity import COLUMN_NORM_POWER, ROW_NORM_POWER

SMALLEST_SCALE = 1e-100

Contact = tuple[int, int, bool]
"""Last time in seconds, strength in thousandths, and whether that is a rating."""
Pairs = Mapping[str, Mapping[str, tuple[int, int]]]
"""item → neighbour → (G, C)."""


class Published(NamedTuple):
    """What `neighbours` tells of an item: its users, R, and its neighbours with (G, C), strongest first."""

    users: int
    c_sum: int
    near: Mapping[str, tuple[int, int]]


@dataclass
class PlainProfile:
    """What a user's events alone make of a profile."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    events: int = 0
    last_ms: int = 0
    searches: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    event_ids: list[str] = field(default_factory=list)
    _interests: dict[str, float] = field(default_factory=dict)
    _scale: float = 1.0
    """The weight of a word is its entry times this: so fading costs nothing for each word."""

    @property
    def interests(self) -> dict[str, float]:
        """Word → weight; all words, also those that are too weak to be kept."""
        return {word: weight * self._scale for word, weight in self._interests.items()}

    def absorb(self, event: EventLike, at_ms: int, config: ProfileConfig, words: Sequence[str]) -> bool:
        """One event, with the words of its item. False: a double, which changes nothing."""
        if event.event_id is not None and config.event_ids_kept:
            if event.event_id in self.event_ids:
                return False
            self.event_ids = [*self.event_ids, event.event_id][-config.event_ids_kept :]
        self.events += 1
        self.last_ms = max(self.last_ms, at_ms)
        kind, item = event.event_type, event.item_id
        if kind == "search":
            searched = [word[:LONGEST_WORD] for word in (event.query or "").lower().split()]
            if searched:
                self.searches = [*self.searches, " ".join(searched)][-SEARCHES_KEPT:]
            self._stir(searched, 1.0, config)
        elif item is None or kind == "impression":
            pass
        elif kind == "dislike":
            if item not in self.blocked:
                self.blocked = [*self.blocked, item][-BLOCKED_KEPT:]
        else:
            self._touch(item, event, at_ms // 1000, config)
            if words:
                self._stir(words, config.strengths.get(kind, 1.0), config)
        return True

    def _touch(self, item: str, event: EventLike, time_s: int, config: ProfileConfig) -> None:
        last_s, strength, rated = self.contacts.get(item, (0, 0, False))
        if event.event_type == "rate" and event.rating is not None:
            strength, rated = round(event.rating * STRENGTH_STEPS), True
        elif not rated:
            strength = max(strength, round(config.strengths.get(event.event_type, 1.0) * STRENGTH_STEPS))
        self.contacts[item] = (max(last_s, time_s), strength, rated)
        if len(self.contacts) > config.history_size:
            del self.contacts[next(iter(self.contacts))]

    def _stir(self, words: Sequence[str], strength: float, config: ProfileConfig) -> None:
        """I ← α·I + (1 − α)·b."""
        alpha = config.interest_alpha
        self._scale *= alpha
        if self._scale < SMALLEST_SCALE:
            self._interests = {word: weight * self._scale for word, weight in self._interests.items()}
            self._scale = 1.0
        add = (1 - alpha) * strength / max(config.strengths.values()) / self._scale
        for word in words:
            self._interests[word] = self._interests.get(word, 0.0) + add


def co_counts(histories: Iterable[Iterable[str]], window: int) -> tuple[Pairs, Counter[str]]:
    """Σ pairs(H_u) over histories, and the users of each item."""
    weights = [round((k + 1) ** -DISTANCE_POWER * FIXED_POINT) for k in range(window)]
    pairs: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    users: Counter[str] = Counter()
    for history in histories:
        items = list(history)
        users.update(items)
        for later, item in enumerate(items):
            for between in range(min(later, window)):
                other = items[later - 1 - between]
                for a, b in ((item, other), (other, item)):
                    g, c = pairs[a].get(b, (0, 0))
                    pairs[a][b] = (g + 1, c + weights[between])
    return pairs, users


def co_weight(c: int, row_sum: int, column_sum: int, shrinkage: float) -> float:
    """The weight of a neighbour by the formula of `co`; all in fixed point."""
    row, column = row_sum / FIXED_POINT + shrinkage, max(column_sum, c) / FIXED_POINT + shrinkage
    return float(c / FIXED_POINT / (row**ROW_NORM_POWER * column**COLUMN_NORM_POWER))


def co_weights(pairs: Pairs, shrinkage: float = 60.0) -> dict[str, dict[str, float]]:
    """item → neighbour → weight by the formula of `co`."""
    sums = {item: sum(c for _, c in near.values()) for item, near in pairs.items()}
    return {
        item: {other: co_weight(c, sums[item], sums[other], shrinkage) for other, (_, c) in near.items()}
        for item, near in pairs.items()
    }


def ridge_weights(
    published: Mapping[str, Published], items: Iterable[str], most: int, ridge: int, regularisation: float
) -> dict[str, dict[str, float]]:
    """item → neighbour → weight by the formula of `models.ridge`, of the first `ridge` neighbours of each item.

    `most`: neighbours that a row of `published` holds at most.
    """
    counts = [pair for row in published.values() for pair in row.near.values()]
    per_c = sum(g for g, _ in counts) / (sum(c for _, c in counts) or 1)
    rate = float(f"{per_c / (sum(row.c_sum for row in published.values()) or 1):.1e}")
    nothing = Published(0, 0, {})

    def together(a: str, b: str) -> float:
        one, other = published.get(a, nothing), published.get(b, nothing)
        if a == b:
            return one.users + regularisation
        if a in other.near or b in one.near:
            return max(one.near.get(b, (0, 0))[0], other.near.get(a, (0, 0))[0])
        return rate * one.c_sum * other.c_sum if len(one.near) == len(other.near) == most else 0.0

    weights = {}
    for item in items:
        near = list(published[item].near)[:ridge]
        square = np.array([[together(a, b) for b in near] for a in near], float).reshape(len(near), len(near))
        right = np.array([published[item].near[a][0] for a in near], float)
        weights[item] = dict(zip(near, np.linalg.solve(square, right).tolist(), strict=True))
    return weights
