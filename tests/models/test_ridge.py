import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.plain import Published
from models.plain import ridge_weights as plain_weights
from models.ridge import CountTable, ridge_weights

Ints = NDArray[np.int64]
REGULARISATION = 30.0
baskets = hnp.arrays(np.int64, st.tuples(st.integers(1, 40), st.integers(2, 9)), elements=st.integers(0, 1))


def others(counts: Ints, item: int) -> Ints:
    """All other items that have a count with this one, strongest first."""
    order = np.argsort(-counts[item], kind="stable")
    return np.asarray(order[(counts[item, order] > 0) & (order != item)], np.int64)


def c_of(g: Ints) -> Ints:
    """C of pairs that are mostly adjacent, in fixed point."""
    return g * 700


def r_of(counts: Ints, item: int) -> int:
    return int(c_of(counts[item].sum() - counts[item, item]))


def table_of(counts: Ints, most: int) -> CountTable:
    table = CountTable(most)
    for item in range(len(counts)):
        near = others(counts, item)
        table.put(item, int(counts[item, item]), r_of(counts, item), near, counts[item, near], c_of(counts[item, near]))
    return table


def put(table: CountTable, item: int, users: int, near: dict[int, int], c_sum: int = 0) -> bool:
    g = np.array([*near.values()], np.int64)
    return table.put(item, users, c_sum, np.array([*near], np.int64), g, c_of(g))


def all_weights(counts: Ints, most: int, ridge: int) -> list[NDArray[np.float64]]:
    near = [others(counts, item)[:ridge] for item in range(len(counts))]
    g = [counts[item, items] for item, items in enumerate(near)]
    return ridge_weights(table_of(counts, most), near, g, REGULARISATION)


@given(baskets)
def test_with_all_items_as_neighbours_it_is_the_least_squares_item_model(users: Ints) -> None:
    counts = users.T @ users
    # EASE (Steck 2019): B = I − P / diag(P), P = (XᵀX + λ·I)⁻¹, the least squares solution with a zero diagonal.
    inverse = np.linalg.inv(counts + REGULARISATION * np.eye(len(counts)))
    expected = np.eye(len(counts)) - inverse / np.diag(inverse)
    for item, weights in enumerate(all_weights(counts, len(counts), len(counts))):
        near = others(counts, item)
        # What shares no user with the target, and with nothing near it, weighs nothing; the others are all neighbours.
        if len(near) == len(counts) - 1:
            assert weights == pytest.approx(expected[near, item], abs=1e-9)


@given(baskets, st.integers(1, 8), st.integers(0, 8))
def test_rows_equal_the_plain_solution_from_what_is_published(users: Ints, most: int, ridge: int) -> None:
    counts = users.T @ users
    ridge = min(ridge, most)
    published = {
        str(item): Published(
            int(counts[item, item]),
            r_of(counts, item),
            {str(other): (int(g := counts[item, other]), int(c_of(g))) for other in others(counts, item)[:most]},
        )
        for item in range(len(counts))
    }
    expected = plain_weights(published, published, most, ridge, REGULARISATION)
    for item, weights in enumerate(all_weights(counts, most, ridge)):
        assert weights == pytest.approx([*expected[str(item)].values()], abs=1e-9)


def test_a_pair_counts_by_the_row_that_holds_it() -> None:
    table = CountTable(1)
    put(table, 0, 9, {2: 5})  # cut: 1 is not among its neighbours
    put(table, 1, 7, {0: 4})
    assert table.among(np.array([1, 0]), 0.0).tolist() == [[7, 4], [4, 9]]
    assert table.among(np.array([5_000, 2]), 1.0).tolist() == [[0, 0], [0, 0]]  # never heard of


def test_a_pair_that_two_cut_rows_left_out_counts_as_of_independent_items() -> None:
    table = CountTable(1)
    put(table, 0, 9, {2: 5}, c_sum=6_000)
    put(table, 1, 7, {3: 4}, c_sum=4_000)
    put(table, 4, 7, {}, c_sum=1_000)  # not cut: 0 is what it knows
    # Σ G = 9, Σ C = 9 · 700, Σ R = 11,000
    rate = 1 / 700 / 11_000
    assert table.independent_rate() == pytest.approx(rate, rel=0.05)
    guess = table.independent_rate() * 6_000 * 4_000
    assert table.among(np.array([0, 1, 4]), table.independent_rate()) == pytest.approx(
        np.array([[9, guess, 0], [guess, 7, 0], [0, 0, 7]])
    )


def test_a_row_says_whether_it_changed_and_forgets_what_it_held() -> None:
    table = CountTable(3)
    assert put(table, 4, 9, {1: 5, 2: 3})
    assert not put(table, 4, 9, {1: 5, 2: 3})
    assert put(table, 4, 9, {1: 5, 2: 3}, c_sum=1)
    assert put(table, 4, 9, {1: 5, 2: 4})
    assert put(table, 4, 9, {2: 4})
    assert table.among(np.array([4, 1]), 0.0).tolist() == [[9, 0], [0, 0]]
    assert put(table, 4, 0, {})
    assert table.among(np.array([4, 2]), 0.0).tolist() == [[0, 0], [0, 0]]
    assert table.independent_rate() == 0.0


def test_a_system_without_a_sound_solution_has_no_weights() -> None:
    # Counts that no histories make, as if windows had cut them: [[1, 31], [31, 1]] + 30·I is singular.
    table = CountTable(2)
    put(table, 0, 1, {1: 31})
    put(table, 1, 1, {0: 31})
    put(table, 2, 1, {3: 1})
    near = [np.array([0, 1]), np.array([3])]
    singular, sound = ridge_weights(table, near, [np.array([1, 2]), np.array([1])], REGULARISATION)
    assert singular.tolist() == [0, 0]
    assert sound == pytest.approx([1 / 30])


def test_nothing_to_solve() -> None:
    assert ridge_weights(CountTable(0), [], [], REGULARISATION) == []
    assert [row.tolist() for row in ridge_weights(CountTable(5), [np.array([], int)], [np.array([], int)], 1.0)] == [[]]
