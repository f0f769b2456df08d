"""How many events new users need until their lists beat popularity."""

import math

import numpy as np
import pytest

from models.accuracy import NOT_IN_LIST
from models.first_lead import events_needed, gains, median


def test_gains_are_ndcg() -> None:
    assert gains([0, 1, 2, NOT_IN_LIST, 10], 10) == pytest.approx([1, 1 / math.log2(3), 0.5, 0, 0])


def test_a_user_is_ahead_when_the_sum_so_far_is() -> None:
    users = ["a", "b", "a", "b", "old", "a"]
    histories = [1, 1, 2, 3, 5, 4]
    ours = np.array([0.0, 1.0, 0.5, 0.0, 1.0, 1.0])
    theirs = np.array([1.0, 0.5, 0.4, 0.0, 0.0, 0.0])
    assert events_needed(users, histories, ours, theirs) == [4, 1], "old was not seen from the first list on"


def test_who_is_never_ahead_needs_infinitely_many() -> None:
    equal = np.array([0.3, 0.0])
    assert events_needed(["a", "a"], [1, 2], equal, equal) == [math.inf]


def test_the_median_is_enough_for_half_of_the_users() -> None:
    assert median([1, 3]) == 3
    assert median([1, math.inf, 2]) == 2
    assert median([1, math.inf]) == math.inf
    assert math.isnan(median([]))
