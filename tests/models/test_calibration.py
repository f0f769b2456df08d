"""Shares of groups and their divergence against the definitions, with dictionaries."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import (
    RECENCY_POWER,
    SMOOTHING,
    GroupShares,
    Growing,
    divergence,
    history_shares,
    item_shares,
)

ITEMS = st.lists(st.lists(st.integers(0, 5), unique=True, max_size=3), max_size=8)


def table(items: list[list[int]]) -> np.ndarray:
    return np.array([[*groups, *[-1] * (3 - len(groups))] for groups in items], np.int64).reshape(-1, 3)


def plain_shares(items: list[list[int]], weights: list[float]) -> dict[int, float]:
    total = sum(weight for groups, weight in zip(items, weights, strict=True) if groups)
    shares: dict[int, float] = {}
    for groups, weight in zip(items, weights, strict=True):
        for group in groups:
            shares[group] = shares.get(group, 0.0) + weight / len(groups) / total
    return shares


@given(ITEMS)
def test_shares_of_a_history_weigh_the_newest_items_most(items: list[list[int]]) -> None:
    weights = [(place + 1) ** -RECENCY_POWER for place in range(len(items))]
    expected = plain_shares(items, weights)
    found = history_shares(table(items))
    if found is None:
        assert expected == {}
        return
    assert dict(zip(found.groups.tolist(), found.shares.tolist(), strict=True)) == pytest.approx(expected)
    assert found.shares.sum() == pytest.approx(1)


@given(ITEMS, ITEMS)
def test_a_growing_list_tells_the_divergence_of_the_whole_list(
    history: list[list[int]], items: list[list[int]]
) -> None:
    wanted = history_shares(table(history))
    if wanted is None or not items:
        return
    growing = Growing(wanted, table(items))
    for place in range(len(items)):
        told = growing.with_each()
        growing.add(place)
        shares = plain_shares(items[: place + 1], [1.0] * (place + 1))
        expected = sum(
            p * math.log(p / ((1 - SMOOTHING) * shares.get(group, 0.0) + SMOOTHING * p))
            for group, p in zip(wanted.groups.tolist(), wanted.shares.tolist(), strict=True)
        )
        assert told[place] == pytest.approx(expected)
        assert -1e-9 <= told.min() <= told.max() <= math.log(1 / SMOOTHING) + 1e-9


def test_the_same_shares_are_calibrated_and_others_are_not_at_all() -> None:
    wanted = GroupShares(np.array([2, 7]), np.array([0.25, 0.75]))
    assert divergence(wanted.shares, np.array([[0.25, 0.75]]))[0] == pytest.approx(0)
    shares, has = item_shares(np.array([[2, 7], [9, -1], [-1, -1]]), wanted)
    assert shares.tolist() == [[0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]
    assert has.tolist() == [True, True, False]
    assert divergence(wanted.shares, shares[1:2])[0] == pytest.approx(math.log(1 / SMOOTHING))
