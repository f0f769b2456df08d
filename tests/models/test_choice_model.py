"""The online conditional logit against the same model fitted at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from models.choice_model import AT_ONCE, BANDS, PLACES, ChoiceModel, Evidence, band_of
from models.choices import Choices, Floats
from tests.models.choosing import BLEND, K, bands_of, choices_of

PRIOR = 4 * BLEND


def learned(model: ChoiceModel, choices: Choices, fade: float = 1.0) -> Evidence:
    evidence = model.nothing()
    for begin in range(0, len(choices), AT_ONCE):
        evidence = model.learn(evidence, choices.part(begin, begin + AT_ONCE), fade)
    return evidence


def fitted(model: ChoiceModel, choices: Choices) -> Floats:
    """The most probable parameters, by a general optimiser and a plain formula; every choice is among K items."""
    start, sources, rows = model.mean(model.nothing()), len(model.prior), np.arange(len(choices))
    spread = np.repeat([1.0, 0.3, 1.0], [sources, sources * len(BANDS), len(PLACES)])
    scores = choices.scores.reshape(-1, K, sources)
    bands = [max(band for band, first in enumerate(BANDS) if first <= length) for length in choices.lengths]

    def loss(mean: Floats) -> float:
        weights = mean[:sources] + mean[sources : sources * (1 + len(BANDS))].reshape(-1, sources)[bands]
        u = np.einsum("nks,ns->nk", scores, weights)
        u[:, 1:] += mean[-len(PLACES) :][: K - 1]
        of_choices = np.logaddexp.reduce(u, axis=1) - u[rows, choices.chosen - choices.starts]
        return float(of_choices.sum() + 0.5 * (((mean - start) / spread) ** 2).sum())

    return np.asarray(minimize(loss, start, method="L-BFGS-B", options={"maxfun": 50_000}).x)


def test_without_evidence_the_mean_is_the_prior_to_the_bit() -> None:
    model = ChoiceModel(PRIOR)
    assert_array_equal(model.weights(model.mean(model.nothing())), bands_of(PRIOR))


def test_the_mean_is_near_the_most_probable_parameters() -> None:
    """All nearer than their standard deviation."""
    model = ChoiceModel(PRIOR)
    choices = choices_of(np.random.default_rng(3), 400, np.array([3.0, 4.0, 0.0, 2.0]))
    evidence = learned(model, choices)
    mean = model.mean(evidence)
    deviation = np.sqrt(np.diag(np.linalg.inv(np.diag(model._precision) + evidence.matrix)))
    moved = np.abs(mean - model.mean(model.nothing())) / deviation
    assert moved.max() > 2.0, "it did learn"
    assert (np.abs(mean - fitted(model, choices)) / deviation).max() < 0.8


def test_faded_evidence_leaves_the_prior() -> None:
    model = ChoiceModel(PRIOR)
    choices = choices_of(np.random.default_rng(4), 300, np.array([0.0, 6.0, 0.0, 0.0]))
    kept, faded = learned(model, choices), learned(model, choices, 0.9)
    assert np.trace(faded.matrix) < 0.1 * np.trace(kept.matrix)
    prior = model.mean(model.nothing())
    assert np.abs(model.mean(faded) - prior).sum() < np.abs(model.mean(kept) - prior).sum()


def test_places_take_what_comes_of_looking() -> None:
    """Users who want what the blend says look at the tenth place a tenth as often as at the first."""
    model = ChoiceModel(PRIOR)
    mean = model.mean(learned(model, choices_of(np.random.default_rng(5), 3_000, 6 * BLEND)))
    pull = mean[-len(PLACES) :][:9]
    assert_allclose(pull, -np.log(np.arange(2, 11)), atol=0.6)


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_every_history_length_has_its_band(lengths: list[int]) -> None:
    for length, band in zip(lengths, band_of(np.array(lengths)), strict=True):
        assert BANDS[band] <= length
        assert band + 1 == len(BANDS) or length < BANDS[band + 1]


@pytest.mark.parametrize("place", [0, 9, 12, 99])
def test_choices_at_any_place_are_learned_from(place: int) -> None:
    model = ChoiceModel(PRIOR)
    scores = np.random.default_rng(6).random((2, 4))
    choices = Choices(scores, np.array([place, 100]), np.array([0]), np.array([0]), np.array([7]))
    before = model.mean(model.nothing())
    after = model.mean(model.learn(model.nothing(), choices, 1.0))
    assert model.log_likelihood(after, choices)[0] > model.log_likelihood(before, choices)[0]
