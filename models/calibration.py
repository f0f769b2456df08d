"""Calibrated lists (Steck 2018): a list's groups (categories) have the shares that they have in the user's history.

    p(g) = Σ_k r_k · h_kg / Σ_k r_k                 over the history, newest first, r_k = (k + 1)^−RECENCY_POWER
    q(g) = Σ_{i in list} h_ig / |list|              h_ig = 1 / |groups of i| if i is in g, else 0
    C_KL = Σ_g p(g) · log(p(g) / q̃(g)),             q̃ = (1 − SMOOTHING) · q + SMOOTHING · p

Items without groups count in neither. C_KL is 0 for the same shares, log(1 / SMOOTHING) for a list without any group
of the history.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]

RECENCY_POWER = 0.5
"""Flatter than for scores (1): the newest item says what comes next, the last twenty what a person likes."""
SMOOTHING = 0.01
"""Without it a group that the list lacks would cost infinitely much."""


@dataclass(frozen=True)
class GroupShares:
    """p: the groups of a history, and their shares, which sum to 1."""

    groups: Ints
    """Group numbers, ascending, [c]"""
    shares: Floats
    """[c], > 0"""


def history_shares(groups: Ints) -> GroupShares | None:
    """The shares in a history; None if no item of it has a group.

    groups: [m, w] group numbers of its items, newest first, filled up with −1.
    """
    own = groups >= 0
    counts = own.sum(axis=1)
    if not counts.any():
        return None
    weights = np.where(counts > 0, np.arange(1.0, len(groups) + 1.0) ** -RECENCY_POWER, 0.0)
    each = np.repeat(weights / np.maximum(counts, 1), counts)
    names, places = np.unique(groups[own], return_inverse=True)
    return GroupShares(names, np.bincount(places.ravel(), each, len(names)) / weights.sum())


def item_shares(groups: Ints, of: GroupShares) -> tuple[Floats, NDArray[np.bool_]]:
    """h [n, c] of n items over the groups of a history, and whether each has any group at all [n].

    groups: [n, w], filled up with −1.
    """
    own = groups >= 0
    counts = own.sum(axis=1)
    columns = np.searchsorted(of.groups, groups).clip(max=len(of.groups) - 1)
    rows, places = np.nonzero(own & (of.groups[columns] == groups))
    shares = np.zeros((len(groups), len(of.groups)))
    np.add.at(shares, (rows, columns[rows, places]), 1.0 / counts[rows])
    return shares, counts > 0


def divergence(wanted: Floats, shares: Floats) -> Floats:
    """C_KL of lists with the shares q [n, c] from p = `wanted` [c], which are > 0: [n]; of one list [c] a scalar."""
    smooth = (1.0 - SMOOTHING) * shares + SMOOTHING * wanted
    told: Floats = np.log(wanted / smooth) @ wanted
    return told


class Growing:
    """A list that grows item by item; what C_KL would be with each candidate added."""

    def __init__(self, of: GroupShares, groups: Ints) -> None:
        """`groups`: [n, w] of the candidates, filled up with −1."""
        self._wanted = of.shares
        self._shares, self._has = item_shares(groups, of)
        self._sum, self._count = np.zeros(len(of.shares)), 0

    def with_each(self) -> Floats:
        """C_KL of the list with each candidate added to it, [n]."""
        length = np.maximum(self._count + self._has, 1)
        return divergence(self._wanted, (self._sum + self._shares) / length[:, None])

    def add(self, place: int) -> None:
        """This candidate is in the list."""
        self._sum = self._sum + self._shares[place]
        self._count += int(self._has[place])
