"""Users who look down a list and choose from it: choices whose right answer is known."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from models.choice_model import BANDS
from models.choices import Choices, Floats, join

HISTORY_LENGTHS = (2, 10, 50, 300)
"""One of each band."""
POOL = 40
K = 10
BLEND = np.array([1.0, 0.1, 0.05, 0.05])
"""The settings' weights of four sources."""


def pool(random: Generator, sources: int) -> Floats:
    """Candidates of one user, [POOL, sources], the best of each source 1, most near 0."""
    scores = random.beta(0.5, 2.0, (POOL, sources))
    return np.asarray(scores / scores.max(axis=0))


def ranked(scores: Floats, weights: Floats) -> list[int]:
    """The list: the best K of the candidates."""
    order: list[int] = np.argsort(-(scores @ weights), kind="stable")[:K].tolist()
    return order


def choice(scores: Floats, shown: Sequence[int], place: int, length: int) -> Choices:
    """The item at this place was chosen from this list."""
    one = np.array([0])
    return Choices(scores[list(shown)], np.arange(len(shown)), one, np.array([place]), np.array([length]))


def looked_at(random: Generator, place: int) -> bool:
    """Whether the user looks so far down: the second place half as often as the first, the tenth a tenth."""
    return bool(random.random() < 1.0 / (place + 1))


def choices_of(random: Generator, count: int, wants: Floats, blend: Floats = BLEND) -> Choices:
    """So many choices from lists by `blend`, by users who want what scores best by `wants`, and look at it."""
    made: list[Choices] = []
    while len(made) < count:
        scores, length = pool(random, len(blend)), int(random.choice(HISTORY_LENGTHS))
        shown = ranked(scores, blend)
        wanted = int(np.argmax(scores @ wants + random.gumbel(size=POOL)))
        if wanted in shown and looked_at(random, shown.index(wanted)):
            made.append(choice(scores, shown, shown.index(wanted), length))
    return join(made, len(blend))


def bands_of(weights: Floats) -> Floats:
    """The same weights for every band."""
    return np.tile(weights, (len(BANDS), 1))
