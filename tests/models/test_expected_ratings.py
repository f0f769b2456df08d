"""Ratings expected of a user, against the formula with plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.expected_ratings import SHRINK_NEAR, ItemRatings, expected_ratings
from models.ratings import SHRINK_ITEM, SHRINK_USER

ITEMS = 9
NEAR = 4
RATING = st.integers(1, 10).map(lambda half: half / 2)
GIVEN = st.dictionaries(st.integers(0, ITEMS - 1), RATING, min_size=1)
KNOWN = st.dictionaries(st.integers(0, ITEMS - 1), st.lists(RATING, min_size=1, max_size=5))


class Plain:
    """The formula for one item at a time."""

    def __init__(self, given: dict[int, float], known: dict[int, list[float]]) -> None:
        every = [rating for of_item in known.values() for rating in of_item] or list(given.values())
        self.mean, self.given, self.known = sum(every) / len(every), given, known
        left = [rating - self.mean - self.of_item(item) for item, rating in given.items()]
        self.of_user = sum(left) / (SHRINK_USER + len(left))

    def of_item(self, item: int) -> float:
        ratings = self.known.get(item, [])
        return sum(rating - self.mean for rating in ratings) / (SHRINK_ITEM + len(ratings))

    def expected(self, item: int, near: dict[int, float]) -> float:
        baseline = self.mean + self.of_user + self.of_item(item)
        used = {other: weight for other, weight in near.items() if weight > 0 and other in self.given}
        if not used:
            return baseline
        apart = sum(
            weight * (self.given[other] - self.mean - self.of_user - self.of_item(other))
            for other, weight in used.items()
        )
        return baseline + apart / sum(used.values()) * len(used) / (len(used) + SHRINK_NEAR)


def known_ratings(known: dict[int, list[float]]) -> ItemRatings:
    made = ItemRatings()
    made.grow(ITEMS)
    for item, ratings in known.items():
        made.put(item, round(1_000 * sum(ratings)), len(ratings))
    return made


@given(GIVEN, KNOWN, st.lists(st.integers(0, ITEMS - 1), unique=True), st.integers(0, 99))
def test_ratings_are_those_of_the_formula(
    given: dict[int, float], known: dict[int, list[float]], unrated: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    cols = np.array([random.permutation(ITEMS)[:NEAR] for _ in range(ITEMS)], np.int32)
    weights = np.where(random.random((ITEMS, NEAR)) < 0.8, random.random((ITEMS, NEAR)), 0.0).astype(np.float32)
    recent = np.array([*given, *(item for item in unrated if item not in given)], np.int64)
    ratings = np.array([given.get(item, np.nan) for item in recent.tolist()], np.float32)
    items, slots = np.arange(ITEMS), np.zeros(ITEMS, np.int32)
    found = expected_ratings(items, recent, ratings, known_ratings(known), cols, weights, slots)
    plain = Plain(given, known)
    rows = zip(cols.tolist(), weights.tolist(), strict=True)
    expected = [plain.expected(item, dict(zip(*row, strict=True))) for item, row in enumerate(rows)]
    means = {item: sum(of_item) / len(of_item) for item, of_item in known.items()}
    limits = [[*given.values(), *([means[item]] if item in means else [])] for item in range(ITEMS)]
    within = [min(max(one, min(of)), max(of)) for one, of in zip(expected, limits, strict=True)]
    assert found == pytest.approx(within, abs=1e-4)
    assert not slots.any()
    alone = expected_ratings(items[3:4], recent, ratings, known_ratings(known), cols, weights, slots)
    assert alone == pytest.approx(found[3:4])


def test_an_item_whose_ratings_are_all_taken_back_has_none() -> None:
    known = known_ratings({0: [5.0, 4.0], 1: [1.0]})
    assert known.mean == pytest.approx(10 / 3)
    known.put(0, 0, 0)
    assert known.mean == pytest.approx(1.0)
    known.put(1, -1_000, -1)  # of before ratings were counted
    assert np.isnan(known.mean)
    assert known.offsets(np.arange(2)).tolist() == [0.0, 0.0]
