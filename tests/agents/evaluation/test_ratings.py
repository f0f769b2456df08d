"""Ratings of a data set, and their prediction on splits."""

import sys

import msgspec
import numpy as np
import pytest

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset
from agents.evaluation.events import from_rows
from agents.evaluation.pipeline import Pipeline
from agents.evaluation.ratings import LISTS, METHODS, Rated, run
from agents.settings import read_settings


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
    found = Rated(Dataset("test", [*dataset.events, *again], [])).ratings
    assert (len(found.values), found.shape) == (30 * 12, (30, 12))
    assert found.values[(found.users == 0) & (found.items == 0)].tolist() == [2.0]


def test_every_method_is_measured_on_the_same_split() -> None:
    ratings, settings = Rated(rated()), read_settings()
    found = run(ratings, settings, 0.75, 1, "")
    assert list(found) == [*METHODS, LISTS]
    assert found["items, baselines"][0] < 0.5 < found["baselines"][0]
    assert all(0 < rmse < 4 for rmse, _ in found.values())
    assert run(ratings, settings, 0.75, 1, "") == found
    assert run(ratings, settings, 0.75, 2, "") != found
    models = settings.model_copy(update={"bert_model": "nowhere", "cross_model": "announced"})
    assert run(ratings, models, 0.75, 1, "") == found, "texts say nothing of ratings"


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings, settings = Rated(rated()), read_settings()
    with pytest.raises(SetupError, match="with --ratings there is only svd"):
        run(ratings, settings, 0.75, 1, "ease")
    monkeypatch.setitem(sys.modules, "surprise", None)
    with pytest.raises(SetupError, match="pip install"):
        run(ratings, settings, 0.75, 1, "svd")
    with pytest.raises(SetupError, match="too few"):
        run(Rated(Dataset("test", rated().events[:1], [])), settings, 0.75, 1, "")
    with pytest.raises(SetupError, match="has no ratings"):
        Rated(Dataset("test", from_rows([{"user_id": "u", "item_id": "i", "timestamp": 1}]), []))


def test_lists_say_which_rating_is_expected_of_users_who_rate() -> None:
    bought = [{"user_id": "buyer", "item_id": f"i{item}", "timestamp": 20 + item} for item in range(4)]
    trained = [event for event in rated().events if (event.user_id, event.event.item_id) != ("u0", "i3")]
    events = [*trained, *from_rows(bought)]
    pipeline = Pipeline(read_settings(), events[0].at_ms)
    pipeline.absorb([event.record() for event in events], events[-1].at_ms)
    pipeline.settle()
    rater, buyer, nobody = pipeline.ask({"u0": 0, "buyer": 0, "nobody": 0}, k=5)
    expected = dict(zip(("i3", "bought"), pipeline.expected_ratings("u0", ["i3", "bought"]).tolist(), strict=True))
    ratings = {item.item_id: item.rating for item in rater.items if item.item_id in expected}
    assert ratings == {item: round(expected[item], 2) for item in ratings}
    assert 1 <= expected["i3"] <= 5
    assert "i3" in ratings
    assert buyer.items
    assert nobody.items
    assert all(item.rating is msgspec.UNSET for item in (*buyer.items, *nobody.items))
    assert b'"rating"' not in msgspec.json.encode(buyer)
    assert np.isnan(pipeline.expected_ratings("nobody", ["i3"])).all()
