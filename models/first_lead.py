"""How many events a new user needs until the user's lists beat popularity.

A user's lists are ahead after the first n of them when what the user took next stood higher in them, all in all:

    Σ_{m ≤ n} nDCG_m(list) > Σ_{m ≤ n} nDCG_m(popularity),      nDCG_m = 1 / log2(rank + 2), 0 if it was not in the list

and the events needed are those that the user had when the n-th of these lists was asked for. New is who had one item
when a list was first asked for.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_LEAD = 1e-9
"""Sums of the same numbers in another order may differ by less."""


def gains(ranks: Sequence[int], k: int) -> Floats:
    """nDCG of lists of k with one relevant item each, [n]; ranks from 0, below 0: not in the list."""
    at = np.array(ranks, np.int64)
    return np.asarray(np.where((at >= 0) & (at < k), 1.0 / np.log2(at.clip(0) + 2.0), 0.0), np.float64)


def events_needed(users: Sequence[str], histories: Sequence[int], ours: Floats, theirs: Floats) -> list[float]:
    """Events that each new user needed, ∞ for whom it was never so; users in the order of their first list.

    Event by event, in the order of time: its user, items in the user's history, and the gain of either list.
    """
    needed: dict[str, float] = {}
    lead: dict[str, float] = {}
    for user, history, gain in zip(users, histories, (ours - theirs).tolist(), strict=True):
        if user not in lead:
            lead[user] = 0.0
            if history == 1:
                needed[user] = math.inf
        lead[user] += gain
        if lead[user] > LEAST_LEAD and needed.get(user) == math.inf:
            needed[user] = float(history)
    return list(needed.values())


def median(needed: Sequence[float]) -> float:
    """The median, the upper one of two: so many events were enough for at least half of the users. NaN for none."""
    return sorted(needed)[len(needed) // 2] if needed else math.nan
