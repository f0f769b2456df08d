"""Variety within a list: maximal marginal relevance (Carbonell and Goldstein 1998) and caps on categories.

Greedily picks    argmax_i  (1 − λ)·rel(i) − λ·max_{j picked} sim(i, j)

with rel the score divided by the list's best and sim the cosine, both within [0, 1]. λ = 0 is the order of scores.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.integer]

ROUNDING = 1e-6
"""float32 cosines of unit vectors exceed 1 by less than this."""


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
    """Places that `diversify` without caps can pick at all, ascending.

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
    scores: Floats, vectors: Floats | None, k: int, diversity: float, hot: NDArray[np.bool_] | None = None, cap: int = 0
) -> NDArray[np.intp]:
    """Places of at most k items, in the order of the list; ties in score by place.

    scores: [n] ≥ 0; vectors: [n, d] unit or zero vectors, None: all items are unlike; diversity: λ within [0, 1].
    hot, cap: no more than `cap` items of one category [n, c] (0: any number), even if the list becomes shorter.
    """
    capped = cap > 0 and hot is not None and hot.shape[1] > 0
    order = np.argsort(-scores, kind="stable")
    if vectors is None or diversity <= 0:
        if not capped:
            return order[:k]
        vectors, diversity = None, 0.0
    relevance = (1.0 - diversity) * _relevance(scores)[order]
    near = None if vectors is None else vectors[order]
    return order[_greedy(relevance, near, k, diversity, hot[order] if capped and hot is not None else None, cap)]


def _greedy(
    relevance: NDArray[np.floating],
    near: Floats | None,
    k: int,
    diversity: float,
    hot: NDArray[np.bool_] | None,
    cap: int,
) -> NDArray[np.intp]:
    value = relevance.astype(np.float64)
    closest = np.zeros(len(value))
    taken = np.zeros(hot.shape[1], np.int64) if hot is not None else None
    picked: list[int] = []
    left = value.copy()
    while len(picked) < min(k, len(value)):
        place = int(left.argmax())
        if left[place] == -np.inf:
            break
        picked.append(place)
        value[place] = -np.inf
        if hot is not None and taken is not None:
            taken += hot[place]
            if (full := (taken >= cap) & hot[place]).any():
                value[(hot & full).any(axis=1)] = -np.inf
        if near is not None:
            np.maximum(closest, near @ near[place], out=closest)
        left = value - diversity * closest
    return np.array(picked, np.intp)
