"""Sums by item against a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.neighbour_sums import NeighbourSums

ITEMS = 10
ROWS = st.integers(0, 8).flatmap(
    lambda rows: st.tuples(
        st.lists(st.permutations(range(ITEMS)), min_size=rows, max_size=rows).map(
            lambda drawn: np.array(drawn, np.int32).reshape(-1, ITEMS)[:, :4]
        ),
        hnp.arrays(np.float32, (rows, 4), elements=st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0])),
    )
)


@given(ROWS, st.lists(st.integers(0, ITEMS - 1)), st.integers(0, 99), st.integers(0, ITEMS))
def test_sums_of_what_may_be_seen(
    rows: tuple[NDArray[np.int32], NDArray[np.float32]], hidden: list[int], dirt: int, most: int
) -> None:
    cols, weights = rows
    sums = NeighbourSums(cols, weights, np.full(ITEMS, dirt, np.int64), np.array(hidden, np.int64))
    sums.leave_out(sums.cols == 3)
    expected = np.zeros(ITEMS)
    np.add.at(expected, cols, weights)
    expected[[3, *hidden]] = 0
    best = sums.strongest(most)
    assert sums.values(best).tolist() == sorted(expected[expected > 0], reverse=True)[:most]
    assert sums.values(best) == pytest.approx(expected[sums.items(best)])
    assert len(set(sums.items(best).tolist())) == len(best)
    for item, place in zip(sums.items(best), sums.because(best).tolist(), strict=True):
        parts = np.where(cols == item, weights, 0).max(axis=1)
        assert place == parts.argmax()


def test_what_a_row_is_filled_up_with_hides_no_neighbour() -> None:
    cols, weights = np.array([[5, 0, 0, 0], [0, 7, 0, 0]]), np.array([[1, 0.5, 0, 0], [0.25, 2, 0, 0]], np.float32)
    sums = NeighbourSums(cols, weights, np.zeros(ITEMS, np.int64), np.zeros(0, np.int64))
    best = sums.strongest(9)
    assert sums.items(best).tolist() == [7, 5, 0]
    assert sums.values(best).tolist() == [2, 1, 0.75]
    assert sums.because(best).tolist() == [1, 0, 0]
