"""Variety within a list: maximal marginal relevance (Carbonell and Goldstein 1998), calibration, caps on groups.

Greedily picks    argmax_i  (1 − κ)·[(1 − λ)·rel(i) − λ·max_{j picked} sim(i, j)] − κ·C_KL(picked + i)

with rel the score divided by the list's best and sim the cosine, both within [0, 1]; C_KL: see `models.calibration`.
λ = κ = 0 is the order of scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import GroupShares, Growing

Floats = NDArray[np.float32]
Ints = NDArray[np.integer]

ROUNDING = 1e-6
"""float32 cosines of unit vectors exceed 1 by less than this."""


@dataclass(frozen=True)
class Caps:
    """How many items of each of c groups may be in the list, even if it becomes shorter."""

    hot: NDArray[np.bool_]
    """[n, c], candidate is in the group"""
    most: NDArray[np.int64]
    """[c]"""
    taken: NDArray[np.int64]
    """[c], items of the group that are in the list before anything is picked"""


@dataclass(frozen=True)
class Calibration:
    """Whose shares the list is to have, and how much that counts."""

    wanted: GroupShares
    groups: Ints
    """[n, w], group numbers of the candidates, filled up with −1"""
    weight: float
    """κ within [0, 1]"""


def category_hot(categories: Ints) -> NDArray[np.bool_]:
    """One column for each category that occurs among a list's candidates: [B, n, c].

    categories: [B, n, w] category numbers, filled up with −1.
    """
    lists, candidates, width = categories.shape
    flat = categories.reshape(lists, candidates * width)
    order = flat.argsort(axis=1)
    ascending = np.take_along_axis(flat, order, axis=1)
    begins = np.diff(ascending, axis=1, prepend=-1) > 0
    column = begins.cumsum(axis=1)  # the first of a list is 1; 0 is for what is no category
    columns = np.empty_like(column)
    np.put_along_axis(columns, order, column, axis=1)
    hot = np.zeros((lists, candidates, int(column.max(initial=0)) + 1), np.bool_)
    np.put_along_axis(hot, columns.reshape(categories.shape), np.True_, axis=2)
    return hot[:, :, 1:]


def category_vectors(hot: NDArray[np.bool_]) -> Floats:
    """Unit vectors [B, n, c] whose cosine is the overlap of two category sets; zero without categories.

    They stand in for embeddings where there are none.
    """
    lengths = np.sqrt(np.maximum(hot.sum(axis=2, keepdims=True, dtype=np.float32), 1))
    vectors: Floats = (hot / lengths).astype(np.float32)
    return vectors


def relevances(totals: Floats) -> NDArray[np.float64]:
    """Scores divided by the best of the list, [B, n]; totals: [B, n] ≥ 0, −∞ for what may not be picked."""
    best = totals.max(axis=1, initial=0.0, keepdims=True).astype(np.float64)
    relevance: NDArray[np.float64] = totals / np.where(best > 0, best, 1.0)
    return relevance


def shortlisted(relevance: NDArray[np.float64], k: int, diversity: float) -> int:
    """How many of the first candidates `diversify` can pick at all, without caps and calibration.

    relevance: [B, n], descending in each list. Until k are picked, one of the k best is left, with at least
    rel_k·(1 − λ) − λ: what lies below is never picked.
    """
    if relevance.shape[1] <= k:
        return int(relevance.shape[1])
    scaled = _scaled(relevance, np.array(1.0 - diversity))
    kth = np.maximum(scaled[:, k - 1], 0.0)[:, None]
    return max(k, int((scaled >= kth - diversity - ROUNDING).sum(axis=1).max(initial=0)))


def _scaled(relevance: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relevance times a factor ≥ 0; what may not be picked stays at −∞, also with the factor 0."""
    return np.where(relevance < 0, relevance, by * np.maximum(relevance, 0.0))


def diversify(
    relevance: NDArray[np.float64],
    k: int,
    diversity: float,
    vectors: Floats | None = None,
    caps: Sequence[Caps | None] = (),
    calibrations: Sequence[Calibration | None] = (),
) -> NDArray[np.intp]:
    """Places of at most k candidates for each of B lists, in their order, filled up with −1: [B, k].

    relevance: [B, n], see `relevances`; of equal values the first is picked. diversity: λ within [0, 1]; vectors:
    [B, n, d], unit or zero vectors, None: all items are unlike; caps, calibrations: of each list, or empty.
    """
    rows = np.arange(len(relevance))
    growing = {
        at: (one.weight, Growing(one.wanted, one.groups)) for at, one in enumerate(calibrations) if one is not None
    }
    own = np.ones((len(relevance), 1))
    for at, (weight, _) in growing.items():
        own[at] = 1.0 - weight
    base = _scaled(relevance, own * (1.0 - diversity))
    limits = {at: _Room(one, base[at]) for at, one in enumerate(caps) if one is not None}
    picked = np.full((len(base), k), -1, np.intp)
    if vectors is None and not growing and not limits:  # nothing hangs on what was picked before
        best = np.argsort(-base, axis=1, kind="stable")[:, :k]
        picked[:, : best.shape[1]] = np.where(np.take_along_axis(base, best, axis=1) > -np.inf, best, -1)
        return picked
    closest = np.zeros_like(base)
    for step in range(min(k, base.shape[1])):
        value = base - (own * diversity) * closest if vectors is not None else base.copy()
        for at, (weight, of_list) in growing.items():
            value[at] -= weight * of_list.with_each()
        places = value.argmax(axis=1)
        found = value[rows, places] > -np.inf
        if not found.any():
            break
        picked[found, step] = places[found]
        base[rows, places] = -np.inf
        for at in limits.keys() & set(rows[found].tolist()):
            limits[at].take(int(places[at]))
        for at in growing.keys() & set(rows[found].tolist()):
            growing[at][1].add(int(places[at]))
        if vectors is not None:
            # Not a matrix product, whose rounding may depend on how many candidates other lists of the batch have.
            likeness = np.einsum("bnd,bd->bn", vectors, vectors[rows, places])
            np.maximum(closest, likeness, out=closest)
    return picked


class _Room:
    """What the caps of one list leave."""

    def __init__(self, caps: Caps, base: NDArray[np.float64]) -> None:
        """`base`: [n], set to −∞ for what has no room any more."""
        self._caps, self._taken, self._base = caps, caps.taken.copy(), base
        base[(caps.hot & (caps.taken >= caps.most)).any(axis=1)] = -np.inf

    def take(self, place: int) -> None:
        """A candidate is in the list."""
        hot, most = self._caps.hot, self._caps.most
        self._taken += hot[place]
        if (full := (self._taken >= most) & hot[place]).any():
            self._base[(hot & full).any(axis=1)] = -np.inf
