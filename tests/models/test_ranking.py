"""The blend against its formula, written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.ranking import SHARE_DIGITS, Blend, blend, nearest, profile_embedding, shown_shares, source_weights

SOURCES = ["item_cf", "popular", "fresh", "content"]
SCORES = hnp.arrays(
    np.float32,
    st.tuples(st.just(len(SOURCES)), st.integers(1, 12)),
    elements=st.floats(-2, 1_000, width=32) | st.sampled_from([0.0, math.inf, math.nan]),
)
WEIGHTS = hnp.arrays(np.float32, len(SOURCES), elements=st.floats(0, 5, width=16))


def shares(blended: Blend) -> NDArray[np.float32]:
    """Of all candidates of the first list, [n, S]."""
    n = blended.total.shape[1]
    return blended.shares(np.zeros(n, np.intp), np.arange(n))


def test_known_numbers() -> None:
    scores = np.array([[[4, 2, 0], [0, 10, 5]], [[1, 1, 0], [0, 0, 0]]], np.float32)
    blended = blend(scores, np.array([[1, 0.5], [3, 1]], np.float32))
    assert blended.normal.tolist() == [[[1, 0.5, 0], [0, 1, 0.5]], [[1, 1, 0], [0, 0, 0]]]
    assert blended.total.tolist() == [[1, 1, 0.25], [3, 3, 0]]
    assert shares(blended).tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
    assert blended.shares(np.array([1, 0]), np.array([1, 2])).tolist() == [[1, 0], [0, 1]]


@given(SCORES, WEIGHTS)
def test_the_blend_equals_its_formula(scores: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
    blended = blend(scores[None], weights[None])
    known = [[float(x) if math.isfinite(x) and x > 0 else 0.0 for x in row] for row in scores]
    for i in range(scores.shape[1]):
        normal = [row[i] / max(row) if max(row) > 0 else 0.0 for row in known]
        total = sum(float(w) * x for w, x in zip(weights, normal, strict=True))
        assert blended.total[0, i] == pytest.approx(total, rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(shares(blended).sum(axis=1), 1, atol=1e-5)
    assert (shares(blended) >= 0).all()


@given(SCORES, WEIGHTS)
def test_shown_shares_sum_to_one_and_the_leader_leads(
    scores: NDArray[np.float32], weights: NDArray[np.float32]
) -> None:
    shown, lead = shown_shares(shares(blend(scores[None], weights[None])))
    assert shown.sum(axis=1) == pytest.approx(1, abs=1e-9)
    assert (shown[np.arange(len(shown)), lead] == shown.max(axis=1)).all()
    assert (shown >= 0).all()
    assert (shown.round(SHARE_DIGITS) == shown).all()


def test_sources_of_weight_zero_share_evenly_where_they_are_alone() -> None:
    blended = blend(np.array([[[0, 1], [3, 0], [3, 0]]], np.float32), np.array([[1, 0, 0]], np.float32))
    assert blended.total.tolist() == [[0, 1]]
    assert shares(blended).tolist() == [[0, 0.5, 0.5], [1, 0, 0]]


def test_a_source_without_a_weight_does_not_order() -> None:
    assert source_weights(["item_cf", "unheard_of"], {"item_cf": 2.0}).tolist() == [2.0, 0.0]


def test_the_profile_embedding_is_the_weighted_sum() -> None:
    rng = np.random.default_rng(1)
    recent = rng.standard_normal((5, 8)).astype(np.float32)
    recent /= np.linalg.norm(recent, axis=1, keepdims=True)
    places = np.array([0, 1, 3, 4, 9])
    expected = np.zeros(8)
    for vector, place in zip(recent, places, strict=True):
        expected += (1 - 0.85) * 0.85**place * vector
    expected /= np.linalg.norm(expected)
    found = profile_embedding(recent, places)
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=1e-6)
    query = recent[4]
    both = profile_embedding(recent, places, query)
    assert both is not None
    np.testing.assert_allclose(both, (expected + query) / np.linalg.norm(expected + query), atol=1e-6)


def test_nothing_known_gives_no_profile_embedding() -> None:
    nothing = np.zeros((0, 4), np.float32)
    assert profile_embedding(nothing, np.zeros(0, np.int64)) is None
    query = np.array([0, 1, 0, 0], np.float32)
    alone = profile_embedding(nothing, np.zeros(0, np.int64), query)
    assert alone is not None
    assert alone.tolist() == query.tolist()
    assert profile_embedding(np.array([[0, -1, 0, 0]], np.float32), np.zeros(1, np.int64), query) is None


@given(st.lists(st.tuples(st.floats(-1, 1, width=16), st.booleans()), max_size=20), st.integers(0, 25))
def test_nearest_equals_a_sort(pairs: list[tuple[float, bool]], count: int) -> None:
    cosines = np.array([cosine for cosine, _ in pairs], np.float32)
    allowed = np.array([fine for _, fine in pairs], np.bool_)
    found = nearest(cosines, allowed, count).tolist()
    fine = [place for place in range(len(pairs)) if allowed[place] and cosines[place] > 0]
    expected = sorted(fine, key=lambda place: (-cosines[place], place))[:count]
    assert [cosines[place] for place in found] == [cosines[place] for place in expected]
    assert set(found) <= set(fine)
    assert len(set(found)) == len(found)
