"""EASE beside its formula."""

import numpy as np
import pytest

from models.peers import ease
from models.peers.ease import MOST_ITEMS, Ease
from models.peers.peer import TooManyItemsError, user_rows


@pytest.mark.parametrize("at_once", [1, 7, 1_024])
def test_lists_are_those_of_the_formula(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "_AT_ONCE", at_once)
    draw = np.random.default_rng(5)
    histories = [draw.permutation(30)[: draw.integers(2, 12)] for _ in range(200)]
    model = Ease(regularisation=10.0, recency_power=1.0)
    model.fit(histories, 30)
    plain = user_rows(histories, 30).toarray().astype(np.float64)
    inverse = np.linalg.inv(plain.T @ plain + 10.0 * np.eye(30))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    scores = user_rows(histories, 30, power=1.0).toarray() @ weights
    scores[plain > 0] = -np.inf
    np.testing.assert_array_equal(model.recommend(histories, 5), np.argsort(-scores, axis=1)[:, :5])


def test_too_many_items_are_refused_before_memory_is_taken() -> None:
    with pytest.raises(TooManyItemsError, match="leave it out"):
        Ease().fit([np.array([0])], MOST_ITEMS + 1)
