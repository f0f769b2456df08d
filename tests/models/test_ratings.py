"""Predicted ratings: the formulas by hand, and what needs no neighbour."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import ratings
from models.ratings import Floats, Ratings, errors, fit_baselines, predict_by_items, predict_by_users


def table_of(rows: list[list[float]]) -> Ratings:
    """Rows are users, columns items, 0: not rated."""
    dense = np.array(rows)
    users, items = np.nonzero(dense)
    return Ratings(users, items, dense[users, items], (dense.shape[0], dense.shape[1]))


def drawn(users: int = 60, items: int = 25, seed: int = 5) -> Ratings:
    """Two kinds of users and items: of the own kind 5, of the other 1; some are generous, some items are better."""
    draw = np.random.default_rng(seed)
    user, item = np.nonzero(draw.random((users, items)) < 0.5)
    same = user % 2 == item % 2
    return Ratings(user, item, np.where(same, 5.0, 1.0) + draw.normal(0, 0.1, len(user)), (users, items))


def one(number: int) -> NDArray[np.int64]:
    return np.array([number])


def test_the_plain_average_by_hand() -> None:
    train = table_of([[5, 3, 0], [4, 0, 2], [1, 1, 5], [4, 2, 4]])
    first, second, third = np.array([5.0, 4, 1, 4]), np.array([3.0, 0, 1, 2]), np.array([0.0, 2, 5, 4])

    def cosine(a: Floats, b: Floats) -> float:
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    near, nearer = cosine(third, first), cosine(third, second)
    expected = (near * 5 + nearer * 3) / (near + nearer)
    assert predict_by_items(train, one(0), one(2), with_baselines=False)[0] == pytest.approx(expected)
    alone = predict_by_items(train, one(0), one(2), with_baselines=False, k=1)
    assert alone[0] == pytest.approx(5.0 if near > nearer else 3.0)


def test_with_baselines_by_a_plain_loop() -> None:
    train = drawn()
    baselines = fit_baselines(train)
    residual = np.full(train.shape, np.nan)
    residual[train.users, train.items] = train.values - baselines.of(train.users, train.items)
    user = 7
    target = int(np.flatnonzero(np.isnan(residual[user]))[0])
    weights = {}
    for item in np.flatnonzero(~np.isnan(residual[user])).tolist():
        both = ~np.isnan(residual[:, item]) & ~np.isnan(residual[:, target])
        a, b = residual[both, item], residual[both, target]
        weights[item] = max(0.0, a @ b / np.sqrt((a @ a) * (b @ b)) * (both.sum() - 1) / (both.sum() - 1 + 100))
    best = sorted(weights, key=lambda item: -weights[item])[:3]
    average = sum(weights[item] * residual[user, item] for item in best) / sum(weights[item] for item in best)
    found = predict_by_items(train, one(user), one(target), with_baselines=True, k=3)
    assert found[0] == pytest.approx(baselines.of(one(user), one(target))[0] + average)


@pytest.mark.parametrize("predict", [predict_by_items, predict_by_users])
@pytest.mark.parametrize("with_baselines", [False, True])
@pytest.mark.parametrize("block", [7, 500])
def test_kinds_are_found(
    predict: Callable[..., Floats], with_baselines: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratings, "BLOCK", block)
    whole = drawn()
    test = np.arange(len(whole.values)) % 4 == 0
    train, held = whole.at(np.flatnonzero(~test)), whole.at(np.flatnonzero(test))
    rmse, mae = errors(predict(train, held.users, held.items, with_baselines, k=5), held.values)
    plain, _ = errors(fit_baselines(train).of(held.users, held.items), held.values)
    assert mae <= rmse < (0.3 if with_baselines else plain)


def test_users_and_items_that_nobody_knows_get_what_is_known() -> None:
    train = Ratings(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([4.0, 2.0, 5.0]), (3, 3))
    expected = fit_baselines(train)
    for predict in (predict_by_items, predict_by_users):
        found = predict(train, np.array([2, 2, 0]), np.array([2, 0, 2]), with_baselines=True)
        np.testing.assert_allclose(found, expected.of(np.array([2, 2, 0]), np.array([2, 0, 2])))


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, 3.0, 5.0]), min_size=4, max_size=4), min_size=2, max_size=6))
def test_predictions_stay_within_the_ratings(rows: list[list[float]]) -> None:
    rows[0][0] = 3.0
    train = table_of(rows)
    users, items = (places.ravel() for places in np.indices(train.shape))
    for predict in (predict_by_items, predict_by_users):
        for with_baselines in (False, True):
            found = predict(train, users, items, with_baselines)
            assert (found >= train.values.min()).all()
            assert (found <= train.values.max()).all()


def test_errors_by_hand() -> None:
    assert errors(np.array([1.0, 3.0]), np.array([4.0, 3.0])) == pytest.approx((3 / np.sqrt(2), 1.5))
