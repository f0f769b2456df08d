"""Ratings of a data set, and their prediction on splits."""

import sys

import numpy as np
import pytest

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset
from agents.evaluation.events import from_rows
from agents.evaluation.ratings import METHODS, ratings_of, run


def rated(users: int = 30) -> Dataset:
    rows = [
        {"user_id": f"u{user}", "item_id": f"i{item}", "rating": 5 if user % 2 == item % 2 else 1, "timestamp": item}
        for user in range(users)
        for item in range(12)
    ]
    return Dataset("test", from_rows([*rows, {"user_id": "u0", "item_id": "bought", "timestamp": 13}]), [])


def test_the_last_rating_counts_and_what_is_not_rated_does_not() -> None:
    dataset = rated()
    again = from_rows([{"user_id": "u0", "item_id": "i0", "rating": 2, "timestamp": 99}])
    found = ratings_of(Dataset("test", [*dataset.events, *again], []))
    assert (len(found.values), found.shape) == (30 * 12, (30, 12))
    assert found.values[(found.users == 0) & (found.items == 0)].tolist() == [2.0]


def test_every_method_is_measured_on_the_same_split() -> None:
    found = run(ratings_of(rated()), 0.75, 1, "")
    assert list(found) == list(METHODS)
    assert found["items, baselines"][0] < 0.5 < found["baselines"][0]
    assert run(ratings_of(rated()), 0.75, 1, "") == found
    assert run(ratings_of(rated()), 0.75, 2, "") != found


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = ratings_of(rated())
    with pytest.raises(SetupError, match="with --ratings there is only svd"):
        run(ratings, 0.75, 1, "ease")
    monkeypatch.setitem(sys.modules, "surprise", None)
    with pytest.raises(SetupError, match="pip install"):
        run(ratings, 0.75, 1, "svd")
    with pytest.raises(SetupError, match="too few"):
        run(ratings.at(np.array([0])), 0.75, 1, "")
    with pytest.raises(SetupError, match="has no ratings"):
        ratings_of(Dataset("test", from_rows([{"user_id": "u", "item_id": "i", "timestamp": 1}]), []))
