"""What sources propose, put together, against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.kernels import NO_MASK, distinct, first_shown, ridge_scores

ITEMS = 12
NUMBERS = st.lists(st.integers(0, ITEMS - 1), max_size=20).map(lambda drawn: np.array(drawn, np.int64))
MASKS = hnp.arrays(np.bool_, ITEMS)


@given(NUMBERS, st.integers(0, 20), MASKS, st.one_of(st.just(NO_MASK), MASKS, hnp.arrays(np.bool_, 5)))
def test_the_first_that_may_be_shown(
    numbers: NDArray[np.int64], most: int, hidden: NDArray[np.bool_], only: NDArray[np.bool_]
) -> None:
    def shown(item: int) -> bool:
        return not hidden[item] and (not len(only) or (item < len(only) and bool(only[item])))

    expected = [place for place, item in enumerate(numbers.tolist()) if shown(item)]
    assert first_shown(numbers, most, hidden, only).tolist() == expected[:most]


@given(NUMBERS)
def test_distinct_numbers_in_the_order_in_which_they_come(numbers: NDArray[np.int64]) -> None:
    slots = np.zeros(ITEMS, np.int32)
    found, places = distinct(numbers, slots)
    assert found.tolist() == list(dict.fromkeys(numbers.tolist()))
    assert found[places].tolist() == numbers.tolist()
    assert not slots.any()


@given(NUMBERS, NUMBERS, st.integers(1, 4))
def test_ridge_scores_are_sums_over_the_history(
    items: NDArray[np.int64], recent: NDArray[np.int64], width: int
) -> None:
    random = np.random.default_rng(len(items))
    cols = random.permuted(np.tile(np.arange(ITEMS, dtype=np.int32), (ITEMS, 1)), axis=1)[:, :4].copy()
    ridge, recency = random.standard_normal((ITEMS, width)).astype(np.float32), random.random(len(recent), np.float32)
    weight_of = dict(zip(reversed(recent.tolist()), reversed(recency.tolist()), strict=True))
    expected = [
        sum(ridge[item, col] * weight_of.get(int(cols[item, col]), 0.0) for col in range(width)) for item in items
    ]
    scratch = np.zeros(ITEMS, np.float32)
    assert ridge_scores(items, recent, recency, cols, ridge, scratch) == pytest.approx(expected, abs=1e-5)
    assert not scratch.any()
