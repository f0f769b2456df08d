"""How varied lists are."""

import math

import pytest

from models.variety import Variety


def test_items_of_one_category_are_alike_and_of_two_are_not() -> None:
    alike, unlike, half = Variety(), Variety(), Variety()
    alike.add([["a"], ["a"], ["a"]], [])
    unlike.add([["a"], ["b"], ["c"], []], [])
    half.add([["a", "b"], ["a"]], [])
    assert alike.distance() == pytest.approx(0, abs=1e-6)
    assert unlike.distance() == pytest.approx(1), "what has no category is left out"
    assert half.distance() == pytest.approx(1 - 0.5**0.5)


def test_a_list_like_the_history_is_calibrated() -> None:
    same, other = Variety(), Variety()
    same.add([["a"], ["b"], ["a"], ["b"]], [["a", "b"]])
    other.add([["c"], ["d"]], [["a"], ["b"]])
    assert same.miscalibration() == pytest.approx(0, abs=1e-9)
    assert other.miscalibration() == pytest.approx(math.log(100))


def test_without_categories_nothing_is_known() -> None:
    variety = Variety()
    variety.add([[], []], [["a"]])
    variety.add([], [])
    assert math.isnan(variety.distance())
    assert math.isnan(variety.miscalibration())
