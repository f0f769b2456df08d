"""Choices as arrays, and their probabilities."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from models.choices import Choices, join, probabilities
from tests.models.choosing import BLEND, choices_of

RANDOM_SEED = 1


def test_probabilities_are_those_of_one_choice_after_the_other() -> None:
    random = np.random.default_rng(RANDOM_SEED)
    choices = Choices(
        random.random((9, 1)), np.arange(9), np.array([0, 2, 6]), np.array([1, 2, 8]), np.array([1, 5, 9])
    )
    utilities = random.normal(0, 300, 9)  # far beyond what exp holds
    utilities[:6] /= 100
    share, logs = probabilities(utilities, choices)
    for begin, end, chosen, log in zip((0, 2, 6), (2, 6, 9), choices.chosen, logs, strict=True):
        of_list = utilities[begin:end]
        expected = np.exp(of_list - of_list.max())
        assert_allclose(share[begin:end], expected / expected.sum())
        assert_allclose(log, utilities[chosen] - np.logaddexp.reduce(of_list))
    assert_array_equal(choices.of, [0, 0, 1, 1, 1, 1, 2, 2, 2])


def test_parts_put_together_are_the_whole() -> None:
    whole = choices_of(np.random.default_rng(RANDOM_SEED), 7, 6 * BLEND)
    parts = join([whole.part(0, 3), whole.part(3, 4), whole.part(4, 100)], len(BLEND))
    for name in ("scores", "positions", "starts", "chosen", "lengths", "of"):
        assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert len(join([], 4)) == 0
