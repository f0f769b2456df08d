"""The blend: one score for each candidate from the scores of its sources, and the share of each source in it.

    normal[s, i] = max(scores[s, i], 0) / max_j scores[s, j]        (0 where the source proposed nothing)
    total[i]     = Σ_s weight[s] · normal[s, i]
    share[s, i]  = weight[s] · normal[s, i] / total[i]

Sources measure on scales of their own (sums of co-counts, counts of events, cosines); dividing by the list's best makes
them comparable without knowing the scale, and keeps the distances within one source.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CONTENT_ALPHA = 0.85
"""α of the profile embedding: the newest item weighs .15, half of the weight lies on the newest 4 or 5 items. One
session's items stay together, and a single odd click does not turn the profile."""

SHARE_DIGITS = 4
"""Shares are shown to people and sent with every item: more digits only make the records longer."""


@dataclass(frozen=True)
class Blend:
    """The blended scores of B lists of at most n candidates from S sources."""

    total: Floats
    """[B, n], ≥ 0"""
    normal: Floats
    """[B, S, n], the maximum over a list's candidates is 1, or 0 where the source is silent"""
    weights: Floats
    """[B, S]"""

    def shares(self, lists: NDArray[np.intp], places: NDArray[np.intp]) -> Floats:
        """The share of each source in candidates (list, place), [m, S]; each row sums to 1.

        An item whose total is 0 (only sources of weight 0 proposed it) has equal shares from those that proposed it;
        where all scores are 0 the first source has all.
        """
        normal = self.normal[lists, :, places]
        parts = normal * self.weights[lists]
        whole = parts.sum(axis=1, keepdims=True)
        if (whole <= 0).any():
            parts = np.where(whole > 0, parts, _even(normal))
            whole = parts.sum(axis=1, keepdims=True)
        shares: Floats = parts / whole
        return shares


@dataclass(frozen=True)
class BandWeights:
    """Weights of the sources that depend on how long the user's history is."""

    first: Sequence[int]
    """First history length of each band, ascending from 0."""
    weights: Sequence[Mapping[str, float]]
    """Source → weight ≥ 0, for each band."""
    version: str = ""

    def of(self, history_length: int) -> Mapping[str, float]:
        """The weights for a history of this length."""
        return self.weights[bisect_right(self.first, history_length) - 1]


def source_weights(sources: Sequence[str], weights: Mapping[str, float]) -> Floats:
    """The weight of each source, [S]. A source without a weight counts 0: it may propose, but not order."""
    return np.array([weights.get(source, 0.0) for source in sources], np.float32)


def blend(scores: Floats, weights: Floats) -> Blend:
    """Blend raw scores [B, S, n] with weights [B, S] ≥ 0. Scores that are negative or not finite count as 0."""
    known = np.where(np.isfinite(scores) & (scores > 0), scores, np.float32(0))
    best = known.max(axis=2, initial=0.0, keepdims=True)
    normal = np.divide(known, best, out=known, where=best > 0)
    # Not a matrix product, whose rounding may depend on how many candidates other lists of the batch have.
    return Blend((weights[:, :, None] * normal).sum(axis=1), normal, weights)


def _even(normal: Floats) -> Floats:
    """Equal parts of those that proposed an item, [m, S]; of the first source where none did."""
    proposed = (normal > 0).astype(np.float32)
    proposed[~proposed.any(axis=1), 0] = 1
    return proposed


def shown_shares(shares: Floats) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Shares [m, S] as people see them, and which source leads, [m].

    Rounded to `SHARE_DIGITS`, what is less than that 0, sum 1; the leader has the largest of the rounded shares.
    """
    shown = np.where(shares >= 10**-SHARE_DIGITS, shares, 0.0).astype(np.float64)
    rows, lead = np.arange(len(shown)), shown.argmax(axis=1)
    shown = shown.round(SHARE_DIGITS)
    shown[rows, lead] = (shown[rows, lead] + 1.0 - shown.sum(axis=1)).round(SHARE_DIGITS)
    return shown, shown.argmax(axis=1)


def profile_embedding(
    recent: Floats, places: NDArray[np.integer], query: Floats | None = None, alpha: float = CONTENT_ALPHA
) -> Floats | None:
    """What a user is after, as one unit vector [d]; None if nothing is known or all cancels out.

    recent: unit vectors [m, d] of items of the history; places: [m], 0 for the newest; query: unit vector [d] of the
    words searched for. e = Σ_k (1 − α)·α^k · recent[k], scaled to 1, plus the query, scaled to 1 again: what is asked
    for now weighs as much as all that was looked at before.
    """
    vector = None
    if len(recent):
        weights = ((1.0 - alpha) * alpha ** np.asarray(places, np.float64)).astype(np.float32)
        vector = _unit(weights @ recent)
    if query is not None:
        vector = _unit(query) if vector is None else _unit(vector + query)
    return vector


def _unit(vector: Floats) -> Floats | None:
    length = float(np.linalg.norm(vector))
    return (vector / np.float32(length)).astype(np.float32) if length > 1e-6 else None


def nearest(cosines: Floats, allowed: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """Places of the `count` largest positive values among the allowed ones, best first; ties by place.

    cosines: [N]; allowed: [N].
    """
    masked = np.where(allowed, cosines, np.float32(-1))
    if count < len(masked):
        top = np.argpartition(masked, len(masked) - count)[len(masked) - count :] if count else np.empty(0, np.intp)
        top.sort()
    else:
        top = np.arange(len(masked))
    top = top[masked[top] > 0]
    return top[np.argsort(-masked[top], kind="stable")]
