"""Ranks of next items as rates with errors, and how lists spread over items."""

import math

import pytest

from models.accuracy import NOT_IN_LIST, Accuracy, Exposure
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


def test_nothing_shown() -> None:
    assert (Exposure().coverage(0), Exposure().gini(5), Exposure().novelty()) == (0.0, 0.0, 0.0)
