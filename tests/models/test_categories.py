"""How unlike the items of a list are, and how its mix fits a history: by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import SMOOTHING
from models.categories import Categories, Contents

OF_ITEMS = {"ab": ["a", "b"], "a": ["a"], "b": ["b"], "c": ["c"], "none": [], "aa": ["a", "a"]}
CATEGORIES = Categories(OF_ITEMS)


def test_diversity_is_the_mean_over_pairs() -> None:
    assert CATEGORIES.diversity(["a", "aa"]) == pytest.approx(0.0)
    assert CATEGORIES.diversity(["a", "b", "c"]) == pytest.approx(1.0)
    assert CATEGORIES.diversity(["ab", "a", "c", "none", "unknown"]) == pytest.approx(1 - (1 / math.sqrt(2)) / 3)
    assert CATEGORIES.diversity(["a", "none"]) is None


@given(st.lists(st.sampled_from(sorted(OF_ITEMS)), min_size=2, max_size=8))
def test_diversity_is_that_of_a_plain_loop(shown: list[str]) -> None:
    kept = [set(OF_ITEMS[item]) for item in shown if OF_ITEMS[item]]
    pairs = [(one, other) for place, one in enumerate(kept) for other in kept[:place]]
    cosines = [len(one & other) / math.sqrt(len(one) * len(other)) for one, other in pairs]
    found = CATEGORIES.diversity(shown)
    assert found is None if not pairs else found == pytest.approx(1 - sum(cosines) / len(cosines))


def test_a_mix_gives_each_item_one_share() -> None:
    mix = CATEGORIES.mix(["ab", "a", "none"])
    assert mix is not None
    np.testing.assert_allclose(mix, [0.75, 0.25, 0.0])
    assert CATEGORIES.mix(["none"]) is None


def test_miscalibration_is_nothing_for_the_same_mix_and_finite_for_another() -> None:
    mix = CATEGORIES.mix(["a", "b"])
    assert mix is not None
    assert CATEGORIES.miscalibration(mix, ["ab"]) == pytest.approx(0.0)
    assert CATEGORIES.miscalibration(mix, ["c"]) == pytest.approx(-math.log(SMOOTHING))
    half = 0.5 * math.log(0.5 / ((1 - SMOOTHING) + SMOOTHING / 2)) + 0.5 * math.log(0.5 / (SMOOTHING / 2))
    assert CATEGORIES.miscalibration(mix, ["a"]) == pytest.approx(half)
    assert CATEGORIES.miscalibration(mix, ["none"]) is None


def test_means_are_over_the_lists_that_have_categories() -> None:
    contents = Contents(CATEGORIES)
    assert math.isnan(contents.diversity().value)
    contents.add("u", ["a", "b"], CATEGORIES.mix(["a"]))
    contents.add("v", ["a", "aa"], None)
    contents.add("w", ["none"], CATEGORIES.mix(["a"]))
    assert contents.diversity().value == pytest.approx(0.5)
    assert contents.miscalibration().value == pytest.approx(-math.log(0.5 * (1 - SMOOTHING) + SMOOTHING))
    assert not Categories({"a": []})
    assert CATEGORIES
