"""Variety within a list: maximal marginal relevance (Carbonell and Goldstein 1998), calibration, caps on groups.

Greedily picks    argmax_i  (1 − κ)·[(1 − λ)·rel(i) − λ·max_{j picked} sim(i, j)] − κ·C_KL(picked + i)

with rel the score divided by the list's best and sim the cosine, both within [0, 1]; C_KL: see `models.calibration`.
λ = κ = 0 is the order of scores.
"""

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
    """One column for each category that occurs: [n, c].

    categories: [n, w] category numbers of n items, filled up with −1.
    """
    if not categories.size:
        return np.zeros((len(categories), 0), np.bool_)
    names, places = np.unique(categories, return_inverse=True)
    hot = np.zeros((len(categories), len(names)), np.bool_)
    np.put_along_axis(hot, places.reshape(categories.shape), np.True_, axis=1)
    return hot[:, names >= 0]


def category_vectors(hot: NDArray[np.bool_]) -> Floats:
    """Unit vectors [n, c] whose cosine is the overlap of two category sets; zero without categories.

    They stand in for embeddings where there are none.
    """
    lengths = np.sqrt(np.maximum(hot.sum(axis=1, keepdims=True), 1))
    vectors: Floats = (hot / lengths).astype(np.float32)
    return vectors


def shortlist(scores: Floats, k: int, diversity: float) -> NDArray[np.intp]:
    """Places that `diversify` without caps and calibration can pick at all, ascending.

    Until k are picked, one of the k best is left, with at least rel_k·(1 − λ) − λ: what lies below is never picked.
    """
    if len(scores) <= k:
        return np.arange(len(scores))
    relevance = (1.0 - diversity) * _relevance(scores)
    least = np.partition(relevance, len(scores) - k)[len(scores) - k]
    return np.flatnonzero(relevance >= least - diversity - ROUNDING)


def _relevance(scores: Floats) -> NDArray[np.float64]:
    best = float(scores.max(initial=0.0))
    return scores.astype(np.float64) / (best if best > 0 else 1.0)


def diversify(
    scores: Floats,
    vectors: Floats | None,
    k: int,
    diversity: float,
    caps: Caps | None = None,
    calibration: Calibration | None = None,
) -> NDArray[np.intp]:
    """Places of at most k items, in the order of the list; ties in score by place.

    scores: [n] ≥ 0; vectors: [n, d] unit or zero vectors, None: all items are unlike; diversity: λ within [0, 1].
    """
    order = np.argsort(-scores, kind="stable")
    if vectors is None or diversity <= 0:
        if caps is None and calibration is None:
            return order[:k]
        vectors, diversity = None, 0.0
    relevance = (1.0 - diversity) * _relevance(scores)[order]
    near = None if vectors is None else vectors[order]
    if caps is not None:
        caps = Caps(caps.hot[order], caps.most, caps.taken)
    if calibration is not None:
        calibration = Calibration(calibration.wanted, calibration.groups[order], calibration.weight)
    # Vectors are finite; some BLAS kernels raise the flag for lanes of a register that hold none.
    with np.errstate(invalid="ignore"):
        return order[_greedy(relevance, near, k, diversity, caps, calibration)]


def _greedy(
    relevance: NDArray[np.float64],
    near: Floats | None,
    k: int,
    diversity: float,
    caps: Caps | None,
    calibration: Calibration | None,
) -> NDArray[np.intp]:
    weight = calibration.weight if calibration is not None else 0.0
    growing = Growing(calibration.wanted, calibration.groups) if calibration is not None else None
    closest = np.zeros(len(relevance))
    taken = caps.taken.copy() if caps is not None else None
    base = (1.0 - weight) * relevance
    if caps is not None:
        base[(caps.hot & (caps.taken >= caps.most)).any(axis=1)] = -np.inf
    picked: list[int] = []
    while len(picked) < min(k, len(relevance)):
        value = base - (1.0 - weight) * diversity * closest
        if growing is not None:
            value -= weight * growing.with_each()
        place = int(value.argmax())
        if value[place] == -np.inf:
            break
        picked.append(place)
        base[place] = -np.inf
        if caps is not None and taken is not None:
            taken += caps.hot[place]
            if (full := (taken >= caps.most) & caps.hot[place]).any():
                base[(caps.hot & full).any(axis=1)] = -np.inf
        if near is not None:
            np.maximum(closest, near @ near[place], out=closest)
        if growing is not None:
            growing.add(place)
    return np.array(picked, np.intp)
