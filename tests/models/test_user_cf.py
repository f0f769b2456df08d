"""User CF against its formula, written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.user_cf import NO_STRENGTHS, ActiveUsers, Strengths

ITEMS = 6
Row = dict[int, float]
ROWS = st.lists(
    st.dictionaries(st.integers(0, ITEMS - 1), st.sampled_from([0.5, 1.0, 3.0]), max_size=ITEMS), min_size=1, max_size=8
)


def strengths(row: Row) -> Strengths:
    return Strengths(np.array(list(row), np.int64), np.array(list(row.values()), np.float32))


def unit(row: Row) -> Row:
    length = sum(value**2 for value in row.values()) ** 0.5
    return {item: value / length for item, value in row.items()}


def expected(own: Row, others: list[Row], near: int) -> Row:
    similar = []
    for other in map(unit, others):
        similarity = sum(value * other.get(item, 0.0) for item, value in unit(own).items())
        similar.append((similarity, other))
    similar.sort(key=lambda pair: -pair[0])
    scores: Row = {}
    for similarity, other in similar[:near]:
        for item, value in other.items():
            if similarity > 0:
                scores[item] = scores.get(item, 0.0) + similarity * value
    return scores


def scores_of(active: ActiveUsers, user: bytes, row: Row) -> Row:
    ((items, scores),) = active.scores([(user, strengths(row))])
    return dict(zip(items.tolist(), scores.tolist(), strict=True))


@given(ROWS, st.booleans())
def test_scores_are_those_of_the_formula(rows: list[Row], known: bool) -> None:
    active = ActiveUsers(len(rows), near=len(rows))
    for number, row in enumerate(rows):
        active.put(b"%d" % number, strengths(row))
    active.refresh(ITEMS)
    user = b"0" if known else b"stranger"
    assert scores_of(active, user, rows[0]) == pytest.approx(
        expected(rows[0], rows[1:] if known else rows, len(rows)), rel=1e-5
    )
    both = active.scores([(user, strengths(rows[0])), (b"nobody", NO_STRENGTHS)])
    assert len(both[1][0]) == 0


def test_only_the_nearest_are_asked() -> None:
    active = ActiveUsers(9, near=1)
    own: Row = {0: 1.0, 1: 1.0}
    others: list[Row] = [{0: 1.0, 2: 1.0}, {0: 1.0, 1: 1.0, 3: 1.0}]
    for number, row in enumerate(others):
        active.put(b"%d" % number, strengths(row))
    active.refresh(ITEMS)
    assert set(scores_of(active, b"me", own)) == {0, 1, 3}
    assert scores_of(active, b"me", own) == pytest.approx(expected(own, others, 1), rel=1e-5)


def test_who_did_nothing_for_longest_makes_room() -> None:
    active = ActiveUsers(2, near=5)
    for user in (b"a", b"b", b"a", b"c"):
        active.put(user, strengths({ord(user) - ord("a"): 1.0}))
    active.refresh(ITEMS)
    assert len(active) == 2
    assert set(scores_of(active, b"me", {0: 1.0, 1: 1.0, 2: 1.0})) == {0, 2}


def test_the_snapshot_changes_with_a_refresh_but_who_is_removed_is_gone_at_once() -> None:
    active = ActiveUsers(5, near=5)
    for number in (1, 2):
        active.put(b"u%d" % number, strengths({0: 1.0, number: 1.0}))
    active.refresh(ITEMS)
    active.put(b"late", strengths({0: 1.0, 5: 1.0, ITEMS + 2: 1.0}))
    assert set(scores_of(active, b"me", {0: 1.0})) == {0, 1, 2}
    active.remove(b"u1")
    assert 1 not in scores_of(active, b"me", {0: 1.0})
    assert set(scores_of(active, b"me", {0: 1.0})) == {0, 2, 5}, "an item that is newer than the snapshot has to wait"
    assert scores_of(active, b"me", {ITEMS + 3: 1.0}) == {}
    active.clear()
    assert scores_of(active, b"me", {0: 1.0}) == {}


def test_who_made_room_and_is_erased_then_is_gone_at_once() -> None:
    active = ActiveUsers(1, near=5)
    active.put(b"old", strengths({0: 1.0, 3: 1.0}))
    active.refresh(ITEMS)
    active.put(b"new", strengths({1: 1.0}))
    active.remove(b"old")
    assert scores_of(active, b"me", {0: 1.0}) == {}
