"""Variety against the greedy definition, written out."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.calibration import divergence, history_shares, item_shares
from models.diversity import Calibration, Caps, category_hot, category_vectors, diversify, shortlist

Floats = NDArray[np.float32]


def greedy(scores: Floats, vectors: Floats, k: int, diversity: float) -> list[int]:
    """argmax_i (1 − λ)·rel(i) − λ·max_j max(sim(i, j), 0), by the book."""
    relevance = scores.astype(float) / max(scores.max(), 1e-30)
    picked: list[int] = []
    while len(picked) < min(k, len(scores)):
        left = [place for place in np.argsort(-scores, kind="stable").tolist() if place not in picked]
        values = [
            (1 - diversity) * relevance[i] - diversity * max([0.0, *(float(vectors[i] @ vectors[j]) for j in picked)])
            for i in left
        ]
        picked.append(left[int(np.argmax(values))])
    return picked


def drawn(seed: int, n: int, d: int = 4) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, d)).astype(np.float32)
    return rng.random(n).astype(np.float32), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 12), st.sampled_from([0.05, 0.3, 0.7, 1.0]))
def test_mmr_equals_its_definition(seed: int, n: int, k: int, diversity: float) -> None:
    scores, vectors = drawn(seed, n)
    assert diversify(scores, vectors, k, diversity).tolist() == greedy(scores, vectors, k, diversity)


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 12), st.sampled_from([0.0, 0.05, 0.3, 0.7, 1.0]))
def test_the_shortlist_loses_nothing(seed: int, n: int, k: int, diversity: float) -> None:
    scores, vectors = drawn(seed, n)
    near = shortlist(scores, k, diversity)
    short = near[diversify(scores[near], vectors[near], k, diversity)]
    assert short.tolist() == diversify(scores, vectors, k, diversity).tolist()


@given(st.lists(st.floats(0, 5, width=16), min_size=1, max_size=30), st.integers(1, 12))
def test_without_diversity_the_order_is_that_of_scores(values: list[float], k: int) -> None:
    scores = np.array(values, np.float32)
    vectors = np.ones((len(scores), 1), np.float32)
    expected = np.argsort(-scores, kind="stable")[:k].tolist()
    assert diversify(scores, vectors, k, 0.0).tolist() == expected
    assert diversify(scores, None, k, 0.5).tolist() == expected


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 12), st.integers(1, 3), st.sampled_from([0.0, 0.4]))
def test_no_category_has_more_than_its_cap(seed: int, n: int, k: int, cap: int, diversity: float) -> None:
    scores, vectors = drawn(seed, n)
    categories = np.random.default_rng(seed).integers(-1, 4, (n, 2))
    hot = category_hot(categories)
    caps = Caps(hot, np.full(hot.shape[1], cap), np.zeros(hot.shape[1], np.int64))
    picked = diversify(scores, vectors, k, diversity, caps).tolist()
    counts = Counter(name for place in picked for name in set(categories[place].tolist()) - {-1})
    assert all(count <= cap for count in counts.values())
    assert len(set(picked)) == len(picked) <= k
    # What was left out had no room.
    if len(picked) < k:
        full = {name for name, count in counts.items() if count >= cap}
        for place in set(range(n)) - set(picked):
            assert set(categories[place].tolist()) & full


def test_what_is_in_the_list_already_counts_for_a_cap() -> None:
    hot = np.array([[True], [False], [True]])
    caps = Caps(hot, np.array([2]), np.array([1]))
    assert diversify(np.array([3, 2, 1], np.float32), None, 3, 0.0, caps).tolist() == [0, 1]
    full = Caps(hot, np.array([2]), np.array([5]))
    assert diversify(np.array([3, 2, 1], np.float32), None, 3, 0.0, full).tolist() == [1]


@given(
    st.integers(0, 10_000),
    st.integers(1, 20),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.2]),
    st.sampled_from([0.3, 1.0]),
)
def test_calibration_equals_its_definition(seed: int, n: int, k: int, diversity: float, weight: float) -> None:
    scores, vectors = drawn(seed, n)
    rng = np.random.default_rng(seed)
    groups, history = rng.integers(-1, 4, (n, 2)), rng.integers(-1, 5, (6, 2))
    wanted = history_shares(history)
    if wanted is None:
        return
    target = Calibration(wanted, groups, weight)
    shares, has = item_shares(groups, wanted)
    relevance = scores.astype(float) / scores.max()
    picked: list[int] = []
    for step in diversify(scores, vectors, k, diversity, None, target).tolist():
        values = {}
        for i in set(range(n)) - set(picked):
            among = [*picked, i]
            counted = max(int(has[among].sum()), 1)
            kl = divergence(wanted.shares, shares[among].sum(axis=0, keepdims=True) / counted)[0]
            near = max([0.0, *(float(vectors[i] @ vectors[j]) for j in picked)])
            values[i] = (1 - weight) * ((1 - diversity) * relevance[i] - diversity * near) - weight * kl
        assert values[step] >= max(values.values()) - 1e-6
        picked.append(step)
    assert len(picked) == min(n, k)


def test_full_calibration_gives_the_list_the_shares_of_the_history() -> None:
    history = np.array([[0], [0], [0], [1]])
    wanted = history_shares(history)
    assert wanted is not None
    groups = np.array([[0]] * 10 + [[1]] * 10)
    scores = np.linspace(2, 1, 20).astype(np.float32)
    assert diversify(scores, None, 8, 0.0).tolist() == list(range(8))
    picked = diversify(scores, None, 8, 0.0, None, Calibration(wanted, groups, 1.0))
    share = float((groups[picked, 0] == 1).mean())
    assert abs(share - wanted.shares[1]) <= 1 / 8


def test_two_alike_do_not_stand_together() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    scores = np.array([1.0, 0.99, 0.9], np.float32)
    assert diversify(scores, vectors, 3, 0.2).tolist() == [0, 2, 1]


def test_category_vectors_stand_for_overlap() -> None:
    hot = category_hot(np.array([[3, 5], [3, -1], [7, -1], [-1, -1]]))
    vectors = category_vectors(hot)
    np.testing.assert_allclose(vectors[0] @ vectors[1], 0.5**0.5)
    assert vectors[0] @ vectors[2] == 0
    assert not vectors[3].any()
    assert category_hot(np.zeros((2, 0), np.int64)).shape == (2, 0)
