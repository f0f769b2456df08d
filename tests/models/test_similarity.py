"""Weights of neighbours equal a dense reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cooccurrence import FIXED_POINT, count_pairs, unpack_counts
from models.popularity import fade
from models.similarity import co_weights, neighbour_weights, row_matrix, strongest, sum_changes

SIZE = 7
histories = st.lists(st.lists(st.integers(0, SIZE - 1), unique=True, max_size=SIZE), min_size=1, max_size=6)


@given(histories)
def test_cosine_equals_the_dense_matrix_product(seen: list[list[int]]) -> None:
    rows, users = count_pairs([np.array(history, np.int64) for history in seen], SIZE, window=SIZE)
    dense = np.zeros((len(seen), SIZE))
    for user, history in enumerate(seen):
        dense[user, history] = 1
    norms = np.linalg.norm(dense, axis=0)
    expected = dense.T @ dense / np.maximum(np.outer(norms, norms), 1e-12)
    np.fill_diagonal(expected, 0)
    got = rows.astype(float)
    got.data = neighbour_weights(rows, users, users, users, users, "cosine", 0.0)
    np.testing.assert_allclose(got.toarray(), expected, atol=1e-12)


@given(histories, st.floats(0.1, 100))
def test_co_equals_its_formula(seen: list[list[int]], shrinkage: float) -> None:
    rows, users = count_pairs([np.array(history, np.int64) for history in seen], SIZE, window=SIZE)
    c = unpack_counts(rows.toarray())[1]
    sums = c.sum(axis=1)
    got = rows.astype(float)
    got.data = neighbour_weights(rows, users, sums, users, sums, "co", shrinkage)
    r = sums / FIXED_POINT + shrinkage
    expected = c / FIXED_POINT / (r[:, None] ** 0.5 * r[None, :] ** 0.6)
    np.testing.assert_allclose(got.toarray(), expected, rtol=1e-12)


def test_a_norm_that_is_not_known_yet_counts_as_the_co_count_itself() -> None:
    c = np.array([2 * FIXED_POINT])
    known = co_weights(c, c, c, 0.0)
    assert co_weights(c, c, np.array([0]), 0.0) == pytest.approx(known)


def test_changes_of_one_place_are_summed_row_by_row() -> None:
    touched, rows = sum_changes(np.array([4, 2, 4, 4]), np.array([1, 0, 1, 3]), np.array([5, 7, -2, 1]), size=6)
    assert touched.tolist() == [2, 4]
    assert rows.toarray().tolist() == [[7, 0, 0, 0, 0, 0], [0, 3, 0, 1, 0, 0]]


def test_rows_are_put_together_in_order() -> None:
    rows = row_matrix([np.array([1, 2]), np.array([], np.int64)], [np.array([5, 6]), np.array([], np.int64)], size=4)
    assert rows.toarray().tolist() == [[0, 5, 6, 0], [0, 0, 0, 0]]
    assert row_matrix([], [], size=4).shape == (0, 4)


@given(st.lists(st.floats(0, 1, width=16), max_size=30), st.integers(0, 10))
def test_strongest_takes_the_largest_in_order(weights: list[float], most: int) -> None:
    values = np.array(weights)
    places = strongest(values, most)
    assert len(places) == min(most, len(weights))
    assert values[places].tolist() == sorted(weights, reverse=True)[:most]


def test_popularity_halves_after_its_half_life() -> None:
    assert fade(np.array([8.0]), np.array([100.0]), 300.0, half_life=100.0) == pytest.approx([2.0])
