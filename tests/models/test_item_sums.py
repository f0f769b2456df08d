"""Sums by item against a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.kernels import NO_MASK, strongest_sums

ITEMS = 10
WIDTH = 4
COLS = st.lists(st.permutations(range(ITEMS)), min_size=ITEMS, max_size=ITEMS).map(
    lambda drawn: np.array(drawn, np.int32)[:, :WIDTH].copy()
)
WEIGHTS = hnp.arrays(np.float32, (ITEMS, WIDTH), elements=st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0]))
MASKS = hnp.arrays(np.bool_, ITEMS)


@given(
    COLS,
    WEIGHTS,
    st.lists(st.tuples(st.integers(0, ITEMS - 1), st.sampled_from([0.25, 0.5, 1.0])), max_size=8),
    MASKS,
    st.one_of(st.just(NO_MASK), MASKS),
    st.integers(0, ITEMS),
    st.integers(0, ITEMS),
)
def test_the_strongest_sums_of_what_may_be_shown_and_who_spoke_for_them(
    cols: NDArray[np.int32],
    weights: NDArray[np.float32],
    history: list[tuple[int, float]],
    hidden: NDArray[np.bool_],
    only: NDArray[np.bool_],
    most: int,
    grounded: int,
) -> None:
    recent = np.array([item for item, _ in history], np.int64)
    recency = np.array([share for _, share in history], np.float32)
    sums = np.zeros(ITEMS, np.float32)
    items, values, because = strongest_sums(recent, recency, cols, weights, hidden, only, most, grounded, sums)
    expected, parts = np.zeros(ITEMS), np.zeros((len(history), ITEMS))
    for k, (item, share) in enumerate(history):
        for col in range(WIDTH):
            expected[cols[item, col]] += weights[item, col] * share
            parts[k, cols[item, col]] += weights[item, col] * share
    expected[hidden] = 0
    if len(only):
        expected[~only] = 0
    assert values.tolist() == sorted(expected[expected > 0], reverse=True)[:most]
    assert values.tolist() == expected[items].tolist()
    assert len(set(items.tolist())) == len(items)
    assert because.tolist() == [parts[:, item].argmax() for item in items[:grounded]]
    assert not sums.any()


def test_of_equal_sums_the_one_that_is_met_first() -> None:
    cols, weights = np.array([[3, 1], [2, 4], [0, 1], [0, 1], [0, 1]], np.int32), np.ones((5, 2), np.float32)
    sums = np.zeros(5, np.float32)
    hidden = np.zeros(5, np.bool_)
    recent, recency = np.array([0, 1]), np.ones(2, np.float32)
    # Without room: a heap of nothing must not be written to.
    for most in range(5):
        items, _, _ = strongest_sums(recent, recency, cols, weights, hidden, NO_MASK, most, 0, sums)
        assert items.tolist() == [3, 1, 2, 4][:most]


def test_many_sums() -> None:
    random = np.random.default_rng(7)
    cols = random.permuted(np.tile(np.arange(5_000, dtype=np.int32), (60, 1)), axis=1)[:, :300].copy()
    weights = random.random((60, 300), np.float32)
    expected = np.zeros(5_000)
    np.add.at(expected, cols, weights)
    recent, recency, sums = np.arange(60), np.ones(60, np.float32), np.zeros(5_000, np.float32)
    items, values, because = strongest_sums(
        recent, recency, cols, weights, np.zeros(5_000, np.bool_), NO_MASK, 100, 50, sums
    )
    assert items.tolist() == np.argsort(-expected)[:100].tolist()
    assert values == pytest.approx(expected[items])
    for item, place in zip(items.tolist(), because.tolist(), strict=False):
        assert place == np.where(cols == item, weights, 0).max(axis=1).argmax()
