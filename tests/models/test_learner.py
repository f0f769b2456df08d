"""Learning from choices: where it begins, what it does not depend on, and the verdict."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.choices import Choices, Floats
from models.learner import GAIN_HALF_LIFE, LEAST_CHOICES, Gains, Learner, LearnerState
from tests.models.choosing import BLEND, bands_of, choices_of

HALF_LIFE = 50_000.0
CHOICES = choices_of(np.random.default_rng(1), 600, np.array([2.0, 4.0, 0.0, 2.0]))

weights = st.lists(st.floats(0.01, 10.0), min_size=1, max_size=8).map(lambda values: np.array(values, np.float32))


def learned_in(cuts: list[int]) -> LearnerState:
    learner = Learner(BLEND, HALF_LIFE)
    state = learner.start()
    for begin, end in zip([0, *cuts], [*cuts, len(CHOICES)], strict=True):
        state = learner.learn(state, CHOICES.part(begin, end))
    return state


@given(weights)
def test_without_choices_the_weights_are_the_blends(blend: Floats) -> None:
    learner = Learner(blend, HALF_LIFE)
    assert_allclose(learner.weights(learner.start()), bands_of(blend), rtol=1e-15)
    assert not learner.better(learner.start(), 0.0)


def test_with_the_weights_of_the_settings_it_is_so_to_the_bit() -> None:
    learner = Learner(BLEND, HALF_LIFE)
    assert_array_equal(learner.weights(learner.start()), bands_of(BLEND))


@given(st.integers(0, 2**32), st.integers(1, 150), weights.filter(lambda blend: len(blend) > 1))
@settings(max_examples=30)
def test_weights_are_none_below_zero_and_add_up_to_the_blends(seed: int, count: int, blend: Floats) -> None:
    random = np.random.default_rng(seed)
    scores = random.random((5 * count, len(blend)))
    starts = np.arange(0, 5 * count, 5)
    places, lengths = np.tile(np.arange(5), count), random.integers(0, 500, count)
    choices = Choices(scores, places, starts, starts + random.integers(0, 5, count), lengths)
    learner = Learner(blend, HALF_LIFE)
    found = learner.weights(learner.learn(learner.start(), choices))
    assert (found >= 0).all()
    assert_allclose(found.sum(axis=1), blend.sum(dtype=np.float64))


@given(st.lists(st.integers(0, len(CHOICES)), max_size=6).map(sorted))
@settings(max_examples=20)
def test_batches_cut_differently_give_nearly_the_same(cuts: list[int]) -> None:
    learner = Learner(BLEND, HALF_LIFE)
    whole, cut = learned_in([]), learned_in(cuts)
    assert cut.choices == whole.choices
    assert_allclose(learner.weights(cut), learner.weights(whole), atol=0.03 * BLEND.sum())
    assert_allclose(cut.gains.count, whole.gains.count)
    assert abs(cut.gains.mean - whole.gains.mean) < 2 * whole.gains.error


def test_the_same_batches_give_the_same_to_the_bit() -> None:
    one, other = learned_in([100, 350]), learned_in([100, 350])
    assert_array_equal(one.learned.matrix, other.learned.matrix)
    assert_array_equal(one.learned.vector, other.learned.vector)
    assert one.gains == other.gains


def test_gains_are_faded_sums() -> None:
    values = np.random.default_rng(2).normal(0.1, 1.0, 700)
    left = 0.5 ** (np.arange(699, -1, -1.0) / GAIN_HALF_LIFE)
    gains = Gains().after(values[:250]).after(values[250:251]).after(values[251:])
    mean = np.average(values, weights=left)
    assert_allclose(gains.mean, mean)
    variance = np.average((values - mean) ** 2, weights=left)
    assert_allclose(gains.error, math.sqrt(variance * (left**2).sum()) / left.sum())


def test_few_choices_decide_nothing() -> None:
    learner = Learner(BLEND, HALF_LIFE)
    state = LearnerState(learner.start().learned, learner.start().fixed, Gains().after(np.ones(int(LEAST_CHOICES) - 1)))
    assert_allclose(state.gains.mean, 1.0)
    assert state.gains.error == math.inf
    assert not learner.better(state, 0.0)
    assert not learner.better(state, 2.0)
