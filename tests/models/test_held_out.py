"""Items held back, found in one list: values worked out by hand."""

import math

import pytest

from models.held_out import HeldOut


def test_values_of_one_list_by_hand() -> None:
    found = HeldOut(3)
    found.add(["x", "a", "b", "c"], {"a", "b", "c", "d"})
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert found.mean("nDCG").value == pytest.approx((1 / math.log2(3) + 1 / 2) / ideal)
    assert found.mean("Recall").value == pytest.approx(2 / 4), "the fourth is beyond the list"
    assert found.mean("MRR").value == pytest.approx(1 / 2)
    assert found.mean("HR").value == 1.0
    assert math.isnan(found.mean("HR").error)


def test_the_ideal_list_is_one_also_with_fewer_items_than_places() -> None:
    found = HeldOut(10)
    found.add(["a", "b"], {"a", "b"})
    found.add(["a"], {"a"})
    assert [found.mean(measure).value for measure in ("nDCG", "Recall", "MRR", "HR")] == [1, 1, 1, 1]
    assert found.mean("HR").error == 0


def test_nothing_found_nothing_shown_and_nobody_asked() -> None:
    found = HeldOut(5)
    assert math.isnan(found.mean("nDCG").value)
    found.add([], {"a"})
    found.add(["b"], {"a"})
    assert (found.users, found.mean("nDCG").value, found.mean("MRR").value) == (2, 0.0, 0.0)
