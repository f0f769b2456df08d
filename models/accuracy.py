"""How high ranked lists had what users took next, and how the lists spread over the catalogue.

HR@k, MRR@k and nDCG@k as in Herlocker et al. (2004) and Järvelin and Kekäläinen (2002), for one relevant item a list:
nDCG is then 1 / log2(rank + 2), ranks from 0.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.evaluation import TakenItems

Floats = NDArray[np.float64]
NOT_IN_LIST = -1


@dataclass(frozen=True)
class Estimate:
    """A mean over events and its standard error, the events of one user taken as one draw; NaN if it is unknown."""

    value: float
    error: float


def mean_of(values: Sequence[float]) -> Estimate:
    """Mean of independent draws and its standard error; NaN where it is unknown."""
    if not len(values):
        return Estimate(math.nan, math.nan)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(np.mean(values)), error)


def clustered_mean(users: Sequence[str], values: Floats) -> Estimate:
    """Mean of values of users, with the linearised variance of a cluster sample (Cochran 1977, 3.12)."""
    if not len(values):
        return Estimate(math.nan, math.nan)
    mean = float(values.mean())
    _, place = np.unique(users, return_inverse=True)
    residuals = np.bincount(place, values - mean)
    count = len(residuals)
    if count < 2:
        return Estimate(mean, math.nan)
    return Estimate(mean, math.sqrt(count / (count - 1) * float((residuals**2).sum())) / len(values))


@dataclass
class Accuracy:
    """Ranks of next items in lists of one method."""

    users: list[str] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)

    def add(self, user: str, rank: int) -> None:
        """The user's next item was at this place of the list, from 0; `NOT_IN_LIST`: it was not in it."""
        self.users.append(user)
        self.ranks.append(rank)

    def hit_rate(self, k: int) -> Estimate:
        """Share of events whose item was among the first k."""
        return clustered_mean(self.users, self._within(k).astype(np.float64))

    def reciprocal_rank(self, k: int) -> Estimate:
        """Mean of 1 / (rank + 1) within the first k, else 0."""
        return clustered_mean(self.users, self._within(k) / (self._ranks() + 1.0).clip(1.0))

    def ndcg(self, k: int) -> Estimate:
        """Mean of 1 / log2(rank + 2) within the first k, else 0."""
        return clustered_mean(self.users, self._within(k) / np.log2(self._ranks().clip(0) + 2.0))

    def recall(self, k: int, lists: Sequence[int]) -> Estimate:
        """Mean over lists of the share of their events whose item was among the first k.

        `lists`: number of the list of each event, those of one list next to each other.
        """
        _, first, place, events = np.unique(lists, return_index=True, return_inverse=True, return_counts=True)
        return clustered_mean([self.users[one] for one in first], np.bincount(place, self._within(k)) / events)

    def lead(self, other: "Accuracy", k: int) -> Estimate:
        """By how much the hit rate is above that of another method on the same events."""
        return clustered_mean(self.users, self._within(k).astype(np.float64) - other._within(k))

    def among(self, which: NDArray[np.bool_]) -> "Accuracy":
        """Only some of the events, bool [events]."""
        places = np.flatnonzero(which).tolist()
        return Accuracy([self.users[place] for place in places], [self.ranks[place] for place in places])

    def _ranks(self) -> NDArray[np.int64]:
        return np.array(self.ranks, np.int64)

    def _within(self, k: int) -> NDArray[np.bool_]:
        ranks = self._ranks()
        return np.asarray((ranks >= 0) & (ranks < k))


@dataclass
class Exposure:
    """Which items the lists showed."""

    shown: Counter[str] = field(default_factory=Counter)
    surprise_bits: float = 0.0

    def add(self, items: Sequence[str], taken: TakenItems) -> None:
        """One list, and what was taken before it."""
        self.shown.update(items)
        self.surprise_bits += sum(math.log2((taken.events + 1) / (taken.count(item) + 1)) for item in items)

    def coverage(self, known: int) -> float:
        """Share of the known items, those shown among them, that any list showed."""
        return len(self.shown) / known if known else 0.0

    def novelty(self) -> float:
        """Mean of −log2 of an item's share in the events, over all places of all lists, in bits."""
        places = self.shown.total()
        return self.surprise_bits / places if places else 0.0

    def gini(self, known: int) -> float:
        """Inequality of exposure over the known items, those shown among them: 0 all alike, 1 all of one item."""
        counts = np.zeros(known)
        counts[: len(self.shown)] = list(self.shown.values())
        counts.sort()
        total = counts.sum()
        if not total:
            return 0.0
        return float((2 * np.arange(1, known + 1) - known - 1) @ counts / (known * total))

    def curve(self, known: int, points: int) -> list[float]:
        """Lorenz curve over the known items, least shown first: shares of all places at `points` even steps from 0."""
        counts = np.zeros(known + 1)
        counts[1 : 1 + len(self.shown)] = list(self.shown.values())
        counts.sort()
        shares = np.cumsum(counts) / (counts.sum() or 1.0)
        places = np.linspace(0, known, points).round().astype(np.int64)
        return [float(share) for share in shares[places]]
