"""The learner among users: better lists where they want something else than the blend says, none worse where not."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.choice_model import band_of
from models.choices import Choices, Floats, join
from models.learner import Learner, LearnerState
from tests.models.choosing import BLEND, HISTORY_LENGTHS, POOL, bands_of, choice, looked_at, pool, ranked

LISTS = 8_000
BATCH = 100
ERRORS = 2.0

Wants = Callable[[int, bool], Floats | None]
"""Number of a list, are learned weights active → weights by band of who gets it; None: wants any item of all."""


@dataclass
class Played:
    """What came out."""

    hits: list[bool] = field(default_factory=list)
    """Whether the wanted item was in the list."""
    fixed_hits: list[bool] = field(default_factory=list)
    """Whether the blend would have had it."""
    active: list[bool] = field(default_factory=list)
    """For each batch."""
    state: LearnerState | None = None

    def gain(self) -> tuple[float, float]:
        """Mean difference in hit rate to the blend, and its standard error."""
        difference = np.array(self.hits, float) - np.array(self.fixed_hits, float)
        return float(difference.mean()), float(difference.std() / np.sqrt(len(difference)))


def play(wants: Wants, seed: int, count: int = LISTS) -> Played:
    """Lists by the learned weights while they are active; users look at place p with probability 1 / (p + 1)."""
    random, played = np.random.default_rng(seed), Played()
    learner = Learner(BLEND, 50_000.0)
    state = learner.start()
    for begin in range(0, count, BATCH):
        active = learner.better(state, ERRORS)
        weights = learner.weights(state) if active else bands_of(BLEND)
        made: list[Choices] = []
        for number in range(begin, begin + BATCH):
            scores, length = pool(random, len(BLEND)), int(random.choice(HISTORY_LENGTHS))
            band, wanted_by = int(band_of(np.array([length]))[0]), wants(number, active)
            values = random.gumbel(size=POOL) + (0.0 if wanted_by is None else scores @ wanted_by[band])
            wanted, shown = int(np.argmax(values)), ranked(scores, weights[band])
            played.hits.append(wanted in shown)
            played.fixed_hits.append(wanted in ranked(scores, BLEND))
            if wanted in shown and looked_at(random, shown.index(wanted)):
                made.append(choice(scores, shown, shown.index(wanted), length))
        played.active.append(active)
        state = learner.learn(state, join(made, len(BLEND)))
    played.state = state
    return played


def not_worse(played: Played) -> bool:
    mean, error = played.gain()
    return mean >= -3 * error


OTHER = np.array([2.0, 4.0, 0.0, 2.0])


@pytest.mark.parametrize("seed", [1, 2])
def test_users_who_want_something_else_get_better_lists(seed: int) -> None:
    played = play(lambda *_: bands_of(OTHER), seed)
    mean, error = played.gain()
    assert mean > 0.1
    assert mean > 10 * error
    assert all(played.active[-20:])
    assert played.state is not None
    found = Learner(BLEND, 50_000.0).weights(played.state)
    assert_allclose(found / found.sum(axis=1, keepdims=True), bands_of(OTHER / OTHER.sum()), atol=0.1)


def test_weights_follow_the_length_of_the_history() -> None:
    """Who is new wants what is popular, who is known what the history says."""
    by_band = np.array([[1.0, 6.0, 0.0, 0.0], [3.0, 3.0, 0.0, 0.0], [6.0, 0.6, 0.3, 0.3], [6.0, 0.6, 0.3, 0.3]])
    played = play(lambda *_: by_band, 3)
    mean, error = played.gain()
    assert mean > 0.05
    assert mean > 10 * error
    assert played.state is not None
    found = Learner(BLEND, 50_000.0).weights(played.state)
    assert found[0, 1] > 2 * found[0, 0]
    assert found[3, 0] > 2 * found[3, 1]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_users_who_want_what_the_blend_says_get_no_worse_lists(seed: int) -> None:
    played = play(lambda *_: bands_of(6 * BLEND), seed)
    assert np.mean(played.active) < 0.2
    assert not_worse(played)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_choices_that_are_noise_change_nothing(seed: int) -> None:
    played = play(lambda *_: None, seed)
    assert np.mean(played.active) < 0.2
    assert not_worse(played)


@pytest.mark.parametrize("turn", [500, 2_000])
def test_users_who_keep_changing_their_minds_get_no_worse_lists(turn: int) -> None:
    """Whenever it could have been learned what they want, they want what the blend says, and so on."""
    minds = [bands_of(6 * BLEND), bands_of(np.array([1.0, 6.0, 1.0, 1.0]))]
    played = play(lambda number, _: minds[number // turn % 2], 4)
    assert not_worse(played)


@pytest.mark.parametrize("seed", [1, 2])
def test_users_who_turn_whenever_they_are_followed_cost_little(seed: int) -> None:
    """The worst there is: they want something else until they get it, and then what the blend says."""
    played = play(lambda _, active: bands_of(6 * BLEND if active else OTHER), seed, 2 * LISTS)
    assert any(played.active)
    assert played.gain()[0] > -0.01


def test_weights_that_are_no_longer_better_are_given_up() -> None:
    """Users who wanted something else want what the blend says from then on."""
    turned = LISTS // 4
    played = play(lambda number, _: bands_of(OTHER if number < turned else 6 * BLEND), 5, 2 * LISTS)
    before, after = played.active[: turned // BATCH], played.active[turned // BATCH :]
    assert before[-1]
    assert not any(after[-20:])
    lost = Played(played.hits[turned:], played.fixed_hits[turned:])
    assert lost.gain()[0] > -0.03
    assert played.gain()[0] > 0
