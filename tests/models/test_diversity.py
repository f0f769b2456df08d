"""Variety against the greedy definition, written out."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.calibration import divergence, history_shares, item_shares
from models.diversity import (
    Calibration,
    Caps,
    category_hot,
    category_vectors,
    diversify,
    relevances,
    shortlisted,
)

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


def pick(
    scores: Floats,
    vectors: Floats | None,
    k: int,
    diversity: float,
    caps: Caps | None = None,
    target: Calibration | None = None,
) -> list[int]:
    """One list, from its scores, in places of these."""
    order = np.argsort(-scores, kind="stable")
    near = None if vectors is None else vectors[order][None]
    if caps is not None:
        caps = Caps(caps.hot[order], caps.most, caps.taken)
    if target is not None:
        target = Calibration(target.wanted, target.groups[order], target.weight)
    picked = diversify(relevances(scores[order][None]), k, diversity, near, [caps], [target])[0]
    return [int(order[place]) for place in picked if place >= 0]


def drawn(seed: int, n: int, d: int = 4) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, d)).astype(np.float32)
    return rng.random(n).astype(np.float32), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 12), st.sampled_from([0.05, 0.3, 0.7, 1.0]))
def test_mmr_equals_its_definition(seed: int, n: int, k: int, diversity: float) -> None:
    scores, vectors = drawn(seed, n)
    assert pick(scores, vectors, k, diversity) == greedy(scores, vectors, k, diversity)


LISTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 30)), min_size=1, max_size=4)


@given(LISTS, st.integers(1, 12), st.sampled_from([0.0, 0.05, 0.3, 0.7, 1.0]))
def test_lists_of_a_batch_are_as_if_each_was_alone_and_the_shortlist_loses_nothing(
    lists: list[tuple[int, int]], k: int, diversity: float
) -> None:
    most = max(n for _, n in lists)
    totals, vectors = np.full((len(lists), most), -np.inf, np.float32), np.zeros((len(lists), most, 4), np.float32)
    alone = []
    for row, (seed, n) in enumerate(lists):
        scores, of_list = drawn(seed, n)
        order = np.argsort(-scores, kind="stable")
        totals[row, :n], vectors[row, :n] = scores[order], of_list[order]
        alone.append(greedy(totals[row, :n], vectors[row, :n], k, diversity) if n else [])
    relevance = relevances(totals)
    count = shortlisted(relevance, k, diversity)
    for part in (count, most):
        picked = diversify(relevance[:, :part], k, diversity, vectors[:, :part])
        assert [[place for place in row if place >= 0] for row in picked.tolist()] == alone


@given(st.lists(st.floats(0, 5, width=16), min_size=1, max_size=30), st.integers(1, 12))
def test_without_diversity_the_order_is_that_of_scores(values: list[float], k: int) -> None:
    scores = np.array(values, np.float32)
    vectors = np.ones((len(scores), 1), np.float32)
    expected = np.argsort(-scores, kind="stable")[:k].tolist()
    assert pick(scores, vectors, k, 0.0) == expected
    assert pick(scores, None, k, 0.5) == expected


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 12), st.integers(1, 3), st.sampled_from([0.0, 0.4]))
def test_no_category_has_more_than_its_cap(seed: int, n: int, k: int, cap: int, diversity: float) -> None:
    scores, vectors = drawn(seed, n)
    categories = np.random.default_rng(seed).integers(-1, 4, (n, 2))
    hot = category_hot(categories[None])[0]
    caps = Caps(hot, np.full(hot.shape[1], cap), np.zeros(hot.shape[1], np.int64))
    picked = pick(scores, vectors, k, diversity, caps)
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
    assert pick(np.array([3, 2, 1], np.float32), None, 3, 0.0, caps) == [0, 1]
    full = Caps(hot, np.array([2]), np.array([5]))
    assert pick(np.array([3, 2, 1], np.float32), None, 3, 0.0, full) == [1]


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
    for step in pick(scores, vectors, k, diversity, None, target):
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
    assert pick(scores, None, 8, 0.0) == list(range(8))
    picked = pick(scores, None, 8, 0.0, None, Calibration(wanted, groups, 1.0))
    share = float((groups[picked, 0] == 1).mean())
    assert abs(share - wanted.shares[1]) <= 1 / 8


def test_two_alike_do_not_stand_together() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    scores = np.array([1.0, 0.99, 0.9], np.float32)
    assert pick(scores, vectors, 3, 0.2) == [0, 2, 1]


def test_items_without_vectors_are_as_alike_as_their_categories() -> None:
    categories = np.array([[[3, 5], [3, -1], [7, -1], [-1, -1]], [[4, -1], [4, -1], [4, 5], [5, 4]]])
    vectors = category_vectors(category_hot(categories))
    half = 0.5**0.5
    expected = [[1, half, 0, 0], [half, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(vectors[0] @ vectors[0].T, expected, rtol=1e-6)
    expected = [[1, 1, half, half], [1, 1, half, half], [half, half, 1, 1], [half, half, 1, 1]]
    np.testing.assert_allclose(vectors[1] @ vectors[1].T, expected, rtol=1e-6)
    assert category_hot(np.zeros((1, 2, 0), np.int64)).shape == (1, 2, 0)
