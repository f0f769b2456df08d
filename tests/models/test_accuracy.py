"""Ranks of next items as rates with errors, and how lists spread over items."""

import math

import numpy as np
import pytest

from models.accuracy import NOT_IN_LIST, Accuracy, Estimate, Exposure, mean_of
from models.evaluation import TakenItems


def accuracy(*ranks: int, users: int = 1_000) -> Accuracy:
    made = Accuracy()
    for number, rank in enumerate(ranks):
        made.add(f"u{number % users}", rank)
    return made


def test_rates_of_known_ranks() -> None:
    made = accuracy(0, 1, 9, 10, NOT_IN_LIST)
    assert made.hit_rate(10).value == pytest.approx(3 / 5)
    assert made.hit_rate(20).value == pytest.approx(4 / 5)
    assert made.reciprocal_rank(10).value == pytest.approx((1 + 1 / 2 + 1 / 10) / 5)
    assert made.ndcg(20).value == pytest.approx((1 + 1 / math.log2(3) + 1 / math.log2(11) + 1 / math.log2(12)) / 5)


def test_without_events_nothing_is_known_and_of_one_user_no_error() -> None:
    assert math.isnan(Accuracy().hit_rate(10).value)
    of_one = accuracy(0, NOT_IN_LIST, users=1).hit_rate(10)
    assert of_one.value == 0.5
    assert math.isnan(of_one.error)


def test_the_error_of_users_with_one_event_each_is_that_of_a_share() -> None:
    made = accuracy(*[0] * 30, *[NOT_IN_LIST] * 70)
    assert made.hit_rate(10).error == pytest.approx(math.sqrt(0.3 * 0.7 / 99))


def test_events_of_one_user_are_one_draw() -> None:
    many = accuracy(*[0, NOT_IN_LIST] * 500, users=2)  # one user always hits, the other never
    assert many.hit_rate(10).value == 0.5
    assert many.hit_rate(10).error == pytest.approx(0.5)


def test_recall_is_a_mean_over_lists() -> None:
    made = accuracy(0, NOT_IN_LIST, 3, 12)
    assert made.recall(10, [0, 0, 0, 1]).value == pytest.approx((2 / 3 + 0) / 2)
    assert made.recall(10, [0, 1, 2, 3]) == made.hit_rate(10), "one event a list: a hit or none"
    assert math.isnan(Accuracy().recall(10, []).value)


def test_a_lead_is_paired() -> None:
    ours, theirs = accuracy(0, 0, NOT_IN_LIST, 0), accuracy(0, NOT_IN_LIST, NOT_IN_LIST, 5)
    assert ours.lead(theirs, 10).value == pytest.approx(1 / 4)
    assert ours.lead(ours, 10) == Estimate(0.0, 0.0)


def test_some_of_the_events() -> None:
    some = accuracy(0, NOT_IN_LIST, 3).among(np.array([True, False, True]))
    assert (some.users, some.ranks) == (["u0", "u2"], [0, 3])


def test_means_of_draws() -> None:
    assert mean_of([1.0, 3.0]) == Estimate(2.0, pytest.approx(1.0))  # type: ignore[arg-type]
    assert math.isnan(mean_of([1.0]).error)
    assert math.isnan(mean_of([]).value)


def test_exposure_is_even_or_of_one_item() -> None:
    even, one, taken = Exposure(), Exposure(), TakenItems()
    for _ in range(3):
        taken.add("a")
    for item in "abcd":
        even.add([item], taken)
        one.add(["a"], taken)
    assert (even.coverage(4), one.coverage(4)) == (1.0, 0.25)
    assert even.gini(4) == pytest.approx(0.0)
    assert one.gini(4) == pytest.approx(0.75)  # (n − 1) / n: all places are one item's
    assert one.novelty() == pytest.approx(0.0)
    assert even.novelty() == pytest.approx(3 * 2 / 4)  # log2 of (3 + 1) / (0 + 1) for three of four


def test_the_curve_is_straight_for_even_exposure_and_flat_for_one_item() -> None:
    even, one, taken = Exposure(), Exposure(), TakenItems()
    for item in "abcd":
        even.add([item], taken)
        one.add(["a"], taken)
    assert even.curve(4, 5) == [0, 0.25, 0.5, 0.75, 1]
    assert one.curve(4, 5) == [0, 0, 0, 0, 1]
    assert Exposure().curve(4, 5) == [0, 0, 0, 0, 0]


def test_nothing_shown() -> None:
    assert (Exposure().coverage(0), Exposure().gini(5), Exposure().novelty()) == (0.0, 0.0, 0.0)
