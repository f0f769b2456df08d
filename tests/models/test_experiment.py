"""Who is in which variant: stable, in the shares that are wanted, and as few as possible move when those change."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.experiment import CIRCLE, DEFAULT, Assignment, parts_of, point

USERS = [f"user {number}" for number in range(20_000)]
NAMES = ("a", "b", "c", "d", "e", "f", "g", "h")


def owned(shares: list[float]) -> dict[str, list[tuple[int, int]]]:
    return dict(zip(NAMES, parts_of(shares), strict=False))


def size(parts: list[tuple[int, int]]) -> int:
    return sum(end - begin for begin, end in parts)


def common(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> int:
    """Points in both."""
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a in some for b in others)


@st.composite
def shares(draw: st.DrawFn, most: int = 8) -> list[float]:
    """Shares in thousandths that add up to at most 1."""
    cuts = sorted(draw(st.lists(st.integers(0, 1_000), max_size=most)))
    return [(end - begin) / 1_000 for begin, end in zip([0, *cuts], cuts, strict=False)]


def test_the_places_of_users_never_change() -> None:
    """Written down: another hash would deal out the users of every running experiment anew."""
    assert [point("1", user) for user in ("ana", "bob", "")] == [4272928596, 2559964841, 2951724148]
    assert point("2", "ana") != point("1", "ana")


@given(shares())
def test_each_point_has_one_owner_and_each_variant_its_share(wanted: list[float]) -> None:
    parts = owned(wanted)
    flat = sorted(part for of_variant in parts.values() for part in of_variant)
    assert all(0 <= begin < end <= CIRCLE for begin, end in flat)
    assert all(before[1] <= after[0] for before, after in pairwise(flat))
    assert [size(of_variant) for of_variant in parts.values()] == pytest.approx([s * CIRCLE for s in wanted], abs=10)
    dealt = Assignment("1", dict(zip(NAMES, wanted, strict=False)))
    for name, of_variant in parts.items():
        assert all(dealt.at(begin) == dealt.at(end - 1) == name for begin, end in of_variant)


@given(shares(), st.floats(0, 1))
def test_a_variant_that_is_added_last_takes_users_from_the_default_alone(wanted: list[float], more: float) -> None:
    added = [*wanted, more * max(0.0, 1 - sum(wanted))][:8]
    before, after = owned(wanted), owned(added)
    assert all(before[name] == after[name] for name in before)


@given(st.integers(1, 8), st.data())
def test_nobody_moves_between_variants_that_have_room(count: int, data: st.DataObject) -> None:
    """Two that grow to any shares; of more, at most 2^−m each for 2^m variants."""
    room = 2.0 ** -math.ceil(math.log2(count))

    new = [data.draw(st.floats(0, room)) for _ in range(count)]
    old = [data.draw(st.floats(0, room)) for _ in range(count)]
    if count == 2:
        new[1] = data.draw(st.floats(0, 1 - new[0]))
        old = [data.draw(st.floats(0, 1)) * share for share in new]
    before, after = owned(old), owned(new)
    for name, was, is_now in zip(NAMES, old, new, strict=False):
        assert common(before[name], after[name]) == min(round(was * CIRCLE), round(is_now * CIRCLE))
        others = [part for other, parts in after.items() if other != name for part in parts]
        assert common(before[name], others) == 0


def test_users_of_a_variant_whose_share_grows_stay_and_no_more_than_needed_move() -> None:
    before = Assignment("1", {"a": 0.1, "b": 0.2, "c": 0.1})
    after = Assignment("1", {"a": 0.3, "b": 0.2, "c": 0.2})
    moved = Counter((before.of(user), after.of(user)) for user in USERS if before.of(user) != after.of(user))
    assert set(moved) == {(DEFAULT, "a"), (DEFAULT, "c")}
    assert moved.total() / len(USERS) == pytest.approx(0.3, abs=0.015)


def test_shares_hold_within_noise_and_experiments_are_independent() -> None:
    one, two = (Assignment(name, {"a": 0.2, "b": 0.5}) for name in ("one", "two"))
    both = Counter((one.of(user), two.of(user)) for user in USERS)
    for (first, second), count in both.items():
        expected = {"a": 0.2, "b": 0.5, DEFAULT: 0.3}[first] * {"a": 0.2, "b": 0.5, DEFAULT: 0.3}[second]
        assert count / len(USERS) == pytest.approx(expected, abs=4 * math.sqrt(expected / len(USERS)))


def test_without_variants_all_are_in_the_default() -> None:
    assert {Assignment("1", {}).of(user) for user in USERS[:100]} == {DEFAULT}
    assert {Assignment("1", {"all": 1.0}).of(user) for user in USERS[:100]} == {"all"}
