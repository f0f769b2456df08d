"""An online conditional logit: weights of sources, by history length, and the pull of each place of a list.

    u_j = Σ_s (m_s + d_bs) · x_js        b: band of the user's history length; d shrinks a band to what all share
    θ_j = one number for each band of places, 0 for the first place

All parameters are Gaussian before anything is seen: m around the prior weights, d and θ around 0. Choices add evidence:
with the second-order expansion of the log-likelihood near the mean of the moment (recursive Laplace approximation;
Spiegelhalter and Lauritzen 1990), evidence is a matrix A and a vector b, and the mean solves

    (Λ₀ + A) · (mean − mean₀) = b − A · mean₀

so that without evidence the mean is the prior's exactly, and old evidence fades by a factor. Position and score go
together in every list, for the ranker put the item there: only the prior keeps them apart at first, and lists in other
orders do later.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.choices import Choices, Floats, Ints, probabilities

BANDS = (0, 5, 20, 100)
"""First history length of each band."""
PLACES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 50)
"""First place of each band of places that has a θ."""
COMMON_SD = 1.0
"""Standard deviation before evidence of m: a source may come to weigh as much as the strongest of a usual blend."""
BAND_SD = 0.3
"""… of d: a hundred choices of a band move it, ten do not."""
PLACE_SD = 1.0
"""… of θ: the first place is looked at e times as often as another, or as seldom, without surprise."""
AT_ONCE = 64
"""Choices that one step learns from."""
PASSES = 2
"""Times that the log-likelihood of a step is expanded, the second time where the first one led."""


@dataclass(frozen=True)
class Evidence:
    """What choices said, in natural parameters."""

    matrix: Floats
    """A [F, F], symmetric, positive semidefinite"""
    vector: Floats
    """b [F]"""


@dataclass(frozen=True)
class ChoiceModel:
    """The model of S sources; F parameters: S common, S for each band, one for each band of places."""

    prior: Floats
    """[S] weights before evidence, ≥ 0"""

    @property
    def size(self) -> int:
        """F"""
        return len(self.prior) * (1 + len(BANDS)) + len(PLACES)

    @cached_property
    def _mean(self) -> Floats:
        return np.concatenate([self.prior, np.zeros(self.size - len(self.prior))])

    @cached_property
    def _precision(self) -> Floats:
        sources = len(self.prior)
        spreads = np.repeat([COMMON_SD, BAND_SD, PLACE_SD], [sources, sources * len(BANDS), len(PLACES)])
        return np.asarray(spreads**-2.0, np.float64)

    def nothing(self) -> Evidence:
        """No evidence."""
        return Evidence(np.zeros((self.size, self.size)), np.zeros(self.size))

    def mean(self, evidence: Evidence) -> Floats:
        """The parameters [F] under this evidence."""
        matrix, vector = evidence.matrix, evidence.vector
        moved = np.linalg.solve(np.diag(self._precision) + matrix, vector - matrix @ self._mean)
        return np.asarray(self._mean + moved, np.float64)

    def weights(self, mean: Floats) -> Floats:
        """[bands, S] the weights to rank with: the sums m + d, and 0 where they are negative."""
        sources = len(self.prior)
        bands = mean[sources : sources * (1 + len(BANDS))].reshape(len(BANDS), sources)
        weights: Floats = np.maximum(mean[:sources] + bands, 0.0)
        return weights

    def log_likelihood(self, mean: Floats, choices: Choices) -> Floats:
        """[n] log P of each choice by the weights to rank with."""
        weights = self.weights(mean)[band_of(choices.lengths)][choices.of]
        utilities = (weights * choices.scores).sum(axis=1) + self._pull(mean, choices)
        return probabilities(utilities, choices)[1]

    def learn(self, evidence: Evidence, choices: Choices, fade: float) -> Evidence:
        """The evidence after these choices, at most `AT_ONCE`.

        fade: what is left of evidence when another choice comes, within (0, 1].
        """
        after = evidence
        for _ in range(PASSES):
            after = self._expanded(evidence, self.mean(after), choices, fade)
        return after

    def _expanded(self, evidence: Evidence, mean: Floats, choices: Choices, fade: float) -> Evidence:
        """The evidence after these choices, their log-likelihood expanded at `mean`."""
        design = self._design(choices)
        share, _ = probabilities(design @ mean, choices)
        left = fade ** np.arange(len(choices) - 1, -1, -1.0)
        expected = np.add.reduceat(design * share[:, None], choices.starts)
        spread = (design.T * (share * left[choices.of])) @ design - (expected.T * left) @ expected
        spread = (spread + spread.T) / 2  # symmetric to the last bit: half of it is stored
        slope = left @ (design[choices.chosen] - expected)
        kept = fade ** len(choices)
        return Evidence(kept * evidence.matrix + spread, kept * evidence.vector + spread @ mean + slope)

    def _pull(self, mean: Floats, choices: Choices) -> Floats:
        """θ of each item."""
        theta = np.concatenate([[0.0], mean[-len(PLACES) :]])
        pull: Floats = theta[np.searchsorted(PLACES, choices.positions, "right")]
        return pull

    def _design(self, choices: Choices) -> Floats:
        """[N, F]"""
        count, sources = choices.scores.shape
        design = np.zeros((count, self.size))
        design[:, :sources] = choices.scores
        rows = np.arange(count)
        first = sources * (1 + band_of(choices.lengths)[choices.of])
        design[rows[:, None], first[:, None] + np.arange(sources)] = choices.scores
        place = np.searchsorted(PLACES, choices.positions, "right") - 1
        design[rows[place >= 0], self.size - len(PLACES) + place[place >= 0]] = 1.0
        return design


def band_of(lengths: Ints) -> Ints:
    """The band of each history length ≥ 0."""
    bands: Ints = np.searchsorted(BANDS, lengths, "right") - 1
    return bands
