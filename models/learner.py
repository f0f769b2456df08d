"""The ranker's learner: from the settings' blend to weights that fit what users choose, and whether they are better.

Two models look at the same choices, each before it learns from it (prequential; Dawid 1984). The *learned* one has a
weight for each source. The *fixed* one has the blend's score as its only source, so it can find out how much that score
says, for each history length, and how much a place says, but never another order. The difference of their
log-likelihoods is therefore what the learned order is worth, free of positions and of scale: its faded mean over the
choices is the `gain`, and learned weights are to be used where it is above 0 by more than so many standard errors.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from models.choice_model import AT_ONCE, ChoiceModel, Evidence
from models.choices import Choices, Floats

SHARPNESS = 4.0
"""u of the blend's weights before evidence, in units of the blend's score: an item ahead by 1 is chosen e⁴ times as
often. A power of 2, so that scaling down again is exact."""
GAIN_HALF_LIFE = 5_000.0
"""Choices after which a comparison counts half: the verdict follows a change within a few thousand."""
LEAST_CHOICES = 200.0
"""With fewer (faded) choices a standard error says little."""


@dataclass(frozen=True)
class Gains:
    """Faded sums over choices of how much likelier the learned model took them to be."""

    count: float = 0.0
    squared_count: float = 0.0
    """Σ of squared weights"""
    total: float = 0.0
    squares: float = 0.0

    def after(self, gains: Floats) -> "Gains":
        """With the gains of further choices, the newest last."""
        keep = 0.5 ** (1.0 / GAIN_HALF_LIFE)
        left = keep ** np.arange(len(gains) - 1, -1, -1.0)
        kept = keep ** len(gains)
        return Gains(
            kept * self.count + float(left.sum()),
            kept**2 * self.squared_count + float((left**2).sum()),
            kept * self.total + float(left @ gains),
            kept * self.squares + float(left @ gains**2),
        )

    @property
    def mean(self) -> float:
        """Gain of a choice, in nats; 0 before the first."""
        return self.total / self.count if self.count else 0.0

    @property
    def error(self) -> float:
        """Standard error of the mean, choices taken as independent; infinite for fewer than `LEAST_CHOICES`."""
        if self.count < LEAST_CHOICES:
            return math.inf
        variance = max(self.squares / self.count - self.mean**2, 0.0)
        return math.sqrt(variance * self.squared_count) / self.count


@dataclass(frozen=True)
class LearnerState:
    """All that learning goes on with."""

    learned: Evidence
    fixed: Evidence
    gains: Gains = field(default_factory=Gains)
    choices: int = 0
    """Choices learned from so far."""


class Learner:
    """Learns weights of S sources. Functions over `LearnerState`; keeps none."""

    def __init__(self, blend: Floats, half_life: float) -> None:
        """`blend`: [S] the settings' weights ≥ 0, where learning begins; `half_life`: choices, ∞: nothing fades."""
        self._blend = np.asarray(blend, np.float64)
        self._fade = 0.5 ** (1.0 / half_life)
        self._learned = ChoiceModel(SHARPNESS * self._blend)
        self._fixed = ChoiceModel(np.array([SHARPNESS]))

    def start(self) -> LearnerState:
        """Before the first choice."""
        return LearnerState(self._learned.nothing(), self._fixed.nothing())

    def learn(self, state: LearnerState, choices: Choices) -> LearnerState:
        """The state after these choices, in order.

        Cut into other batches, the same choices give nearly the same state: only the points differ at which the
        log-likelihood is expanded, which are at most `AT_ONCE` choices old.
        """
        for begin in range(0, len(choices), AT_ONCE):
            state = self._step(state, choices.part(begin, begin + AT_ONCE))
        return state

    def weights(self, state: LearnerState) -> Floats:
        """[bands, S] weights ≥ 0 for each band of `BANDS`; each band's sum is that of the blend's.

        A band in which no source is left has the blend's.
        """
        weights = self._learned.weights(self._learned.mean(state.learned))
        sums = weights.sum(axis=1, keepdims=True)
        scaled = weights * np.divide(self._blend.sum(), sums, out=np.zeros_like(sums), where=sums > 0)
        return np.where(sums > 0, scaled, self._blend)

    def better(self, state: LearnerState, errors: float) -> bool:
        """Whether the learned weights are better than the blend's by more than so many standard errors."""
        return state.gains.mean > errors * state.gains.error

    def _step(self, state: LearnerState, choices: Choices) -> LearnerState:
        as_one = replace(choices, scores=(choices.scores @ self._blend)[:, None])
        learned, fixed = self._learned.mean(state.learned), self._fixed.mean(state.fixed)
        gains = self._learned.log_likelihood(learned, choices) - self._fixed.log_likelihood(fixed, as_one)
        return LearnerState(
            self._learned.learn(state.learned, choices, self._fade),
            self._fixed.learn(state.fixed, as_one, self._fade),
            state.gains.after(gains),
            state.choices + len(choices),
        )
