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
    return order[(counts[item, order] > 0) & (order != item)]


def table_of(counts: Ints, most: int) -> CountTable:
    table = CountTable(most)
    for item in range(len(counts)):
        near = others(counts, item)
        table.put(item, int(counts[item, item]), near, counts[item, near])
    return table


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
            int(counts[item, item]), {str(other): int(counts[item, other]) for other in others(counts, item)[:most]}
        )
        for item in range(len(counts))
    }
    for item, weights in enumerate(all_weights(counts, most, ridge)):
        expected = plain_weights(published, str(item), ridge, REGULARISATION)
        assert weights == pytest.approx([*expected.values()], abs=1e-9)


def test_a_pair_counts_by_the_row_that_holds_it() -> None:
    table = CountTable(1)
    table.put(0, 9, np.array([2]), np.array([5]))  # cut: 1 is not among its neighbours
    table.put(1, 7, np.array([0]), np.array([4]))
    assert table.among(np.array([1, 0])).tolist() == [[7, 4], [4, 9]]
    assert table.among(np.array([5_000, 2])).tolist() == [[0, 0], [0, 0]]  # never heard of


def test_a_row_says_whether_it_changed_and_forgets_what_it_held() -> None:
    table = CountTable(3)
    assert table.put(4, 9, np.array([1, 2]), np.array([5, 3]))
    assert not table.put(4, 9, np.array([1, 2]), np.array([5, 3]))
    assert table.put(4, 9, np.array([1, 2]), np.array([5, 4]))
    assert table.put(4, 9, np.array([2]), np.array([4]))
    assert table.among(np.array([4, 1])).tolist() == [[9, 0], [0, 0]]
    assert table.put(4, 0, np.array([], np.int64), np.array([], np.int64))
    assert table.among(np.array([4, 2])).tolist() == [[0, 0], [0, 0]]


def test_a_system_without_a_sound_solution_has_no_weights() -> None:
    # Counts that no histories make, as if windows had cut them: [[1, 31], [31, 1]] + 30·I is singular.
    table = CountTable(2)
    table.put(0, 1, np.array([1]), np.array([31]))
    table.put(1, 1, np.array([0]), np.array([31]))
    table.put(2, 1, np.array([3]), np.array([1]))
    near = [np.array([0, 1]), np.array([3])]
    singular, sound = ridge_weights(table, near, [np.array([1, 2]), np.array([1])], REGULARISATION)
    assert singular.tolist() == [0, 0]
    assert sound == pytest.approx([1 / 30])


def test_nothing_to_solve() -> None:
    assert ridge_weights(CountTable(0), [], [], REGULARISATION) == []
    assert [row.tolist() for row in ridge_weights(CountTable(5), [np.array([], int)], [np.array([], int)], 1.0)] == [[]]
