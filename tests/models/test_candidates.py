"""Candidates of each source; item-CF sums equal a dense reference."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.candidates import SOURCES, USER_CF, CandidateConfig, CandidateSelector, Selected, Wanted
from models.catalogue import Catalogue, Entry
from models.interning import Interner
from models.kernels import by_basket
from models.neighbour_table import NeighbourTable
from models.popular import PopularLists
from models.user_cf import ActiveUsers, Strengths

NEIGHBOURS = {
    "a": {"b": 0.9, "c": 0.5},
    "b": {"a": 0.9, "d": 0.4},
    "c": {"a": 0.5, "e": 0.3},
    "e": {"c": 0.3, "f": 0.2, "a": 0.1},
}
RIDGE = {"a": (0.4, 0.2), "d": (), "e": (0.1,)}
"""Weights of the first neighbours of a target; more than R = 2 are cut."""
POPULARITY = {"a": 5.0, "b": 4.0, "c": 3.0, "d": 2.0, "e": 1.0, "f": 9.0}


class World:
    """A small catalogue with known neighbours and popularity."""

    def __init__(self, config: CandidateConfig | None = None) -> None:
        self.items = Interner()
        self.table = NeighbourTable(self.items, most=3, ridge=2)
        self.catalogue = Catalogue(self.items)
        for item, popularity in POPULARITY.items():
            near = NEIGHBOURS.get(item, {})
            segments = {"uk": 7.0} if item == "e" else {}
            weights = np.array(list(near.values()), np.float32)
            ridge = np.array(RIDGE.get(item, ()), np.float32)
            self.table.update(item, list(near), weights, popularity, 10.0, segments, ridge)
        self.catalogue.put("d", Entry(("tea",), (), True, 50.0))
        self.catalogue.put("e", Entry(("tea",), ("red",), True, 90.0))
        self.popular = PopularLists(self.table, self.catalogue, half_life=100.0)
        self.selector = CandidateSelector(self.table, self.popular, config or CandidateConfig())

    def numbers(self, *items: str) -> np.ndarray:
        return self.items.numbers(items)

    def scores(self, selected: Selected, source: str) -> dict[str, float]:
        row = selected.scores[SOURCES.index(source)]
        return {self.items.ids[item]: float(score) for item, score in zip(selected.items, row, strict=True) if score}

    def one(
        self, recent: tuple[str, ...], hidden: tuple[str, ...] = (), times: Sequence[int] | None = None, **more: object
    ) -> Selected:
        when = np.arange(len(recent))[::-1] if times is None else np.array(times, np.int64)
        wanted = Wanted(self.numbers(*recent), when, self.numbers(*recent, *hidden), **more)  # type: ignore[arg-type]
        return self.selector.select([wanted])[0]


def test_item_cf_weighs_the_newest_item_most_and_names_who_spoke_for_a_candidate() -> None:
    world = World()
    selected = world.one(("b", "c"))
    assert world.scores(selected, "item_cf") == pytest.approx({"a": 0.9 + 0.25, "d": 0.4, "e": 0.15})
    because = {world.items.ids[item]: int(place) for item, place in zip(selected.items, selected.because, strict=True)}
    assert because == {"a": 0, "d": 0, "e": 1, "f": -1}


def test_seen_hidden_and_unavailable_items_are_never_proposed() -> None:
    world = World()
    world.catalogue.put("f", Entry(available=False))
    world.selector.hide(world.catalogue.unavailable())
    names = {world.items.ids[item] for item in world.one(("b", "c"), hidden=("d",)).items}
    assert names == {"a", "e"}
    world.catalogue.put("f", Entry())
    world.selector.hide(world.catalogue.unavailable())
    assert "f" in {world.items.ids[item] for item in world.one(("b",)).items}


def test_a_list_does_not_depend_on_the_lists_made_before_it() -> None:
    world = World()
    first = world.one(("b", "c"), hidden=("a", "d"))
    other = world.one(("a",))
    again = world.one(("b", "c"), hidden=("a", "d"))
    assert first.items.tolist() == again.items.tolist()
    np.testing.assert_array_equal(first.scores, again.scores)
    assert other.items.tolist() != first.items.tolist()


def test_a_user_without_history_gets_popular_items() -> None:
    world = World(CandidateConfig(popular=2))
    selected = world.one(())
    assert [world.items.ids[item] for item in selected.items] == ["f", "a"]
    assert selected.because.tolist() == [-1, -1]


def test_segment_interest_and_fresh_propose_by_their_own_scores() -> None:
    world = World()
    selected = world.one((), segment="uk", interests=[("tea", 0.5), ("red", 0.2), ("nothing", 0.1)])
    assert world.scores(selected, "segment") == {"e": 7.0}
    assert world.scores(selected, "interest") == pytest.approx({"d": 0.5, "e": 0.25 + 0.2})
    assert world.scores(selected, "fresh") == pytest.approx({"e": 1.0 + 1.0, "d": 0.5})


def test_a_filter_lets_only_its_items_through() -> None:
    world = World()
    only = world.catalogue.in_categories(["tea"], len(world.items))
    selected = world.one(("b",), only=only)
    assert {world.items.ids[item] for item in selected.items} == {"d", "e"}


def test_popularity_is_a_feature_of_every_candidate_and_fades_to_the_newest_clock() -> None:
    world = World()
    world.table.update("f", [], np.zeros(0, np.float32), 9.0, 110.0, {})
    world.popular.refresh()
    assert world.scores(world.one(("b",)), "popular")["a"] == pytest.approx(2.5)


def test_a_removed_item_has_no_neighbours_and_no_popularity() -> None:
    world = World()
    world.table.remove("c")
    world.table.remove("e")
    world.table.remove("never seen")
    assert world.scores(world.one(("c",)), "item_cf") == {}
    assert "e" not in world.scores(world.one(("c",)), "ridge")


def test_an_item_that_came_after_the_popular_lists_were_made_has_no_popularity_yet() -> None:
    world = World()
    world.table.update("b", ["new"], np.array([0.9], np.float32), 4.0, 10.0, {})
    selected = world.one(("b",))
    assert world.scores(selected, "item_cf") == {"new": pytest.approx(0.9)}
    assert "new" not in world.scores(selected, "popular")
    world.table.update("new", [], np.zeros(0, np.float32), 7.0, 10.0, {})
    world.popular.refresh()
    assert world.scores(world.one(("b",)), "popular")["new"] == 7.0


@given(st.lists(st.sampled_from("bcdf"), min_size=1, max_size=6), st.floats(0, 2))
def test_ridge_scores_each_candidate_by_its_own_neighbours_in_the_history(recent: list[str], power: float) -> None:
    world = World(CandidateConfig(ridge_recency_power=power))
    newest = {item: (place + 1) ** -power for place, item in reversed(list(enumerate(recent)))}
    expected = {
        target: sum(weight * newest.get(near, 0.0) for near, weight in zip(NEIGHBOURS[target], weights, strict=False))
        for target, weights in (("a", (0.4, 0.2)), ("e", (0.1,)))
    }
    assert world.scores(world.one(tuple(recent)), "ridge") == pytest.approx({k: v for k, v in expected.items() if v})
    # What one list weighed does not stay behind for the next.
    assert world.scores(world.one(("d",)), "ridge") == {}


def test_the_order_within_a_basket_says_nothing_to_ridge() -> None:
    world = World(CandidateConfig(ridge_recency_power=1.0))
    # a ← b .4, c .2; places weigh 1, 1/2, 1/3, and the last two are one basket: 5/12 each.
    for recent in (("d", "b", "c"), ("d", "c", "b")):
        scores = world.scores(world.one(recent, times=(70, 60, 60)), "ridge")
        assert scores["a"] == pytest.approx(0.6 * 5 / 12)
    apart = world.scores(world.one(("d", "b", "c"), times=(70, 60, 50)), "ridge")
    assert apart["a"] == pytest.approx(0.4 / 2 + 0.2 / 3)


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1, width=32)), max_size=8))
def test_each_basket_shares_its_mean(places: list[tuple[int, float]]) -> None:
    times, recency = [time for time, _ in places], np.array([weight for _, weight in places], np.float32)
    baskets = [list(of_time) for _, of_time in groupby(range(len(times)), times.__getitem__)]
    expected = [np.float32(recency[basket].mean(dtype=np.float64)) for basket in baskets for _ in basket]
    shared = by_basket(recency, np.array(times, np.int64))
    assert shared.dtype == np.float32
    np.testing.assert_allclose(shared, expected, rtol=1e-6)


def test_after_a_pause_the_newest_items_weigh_little_more_than_others() -> None:
    world = World(CandidateConfig(recency_power=1.0, ridge_recency_power=1.0, pause_recency_power=0.5))
    at_it, back = (world.one(("b", "c"), after_pause=pause) for pause in (False, True))
    assert world.scores(at_it, "item_cf")["a"] == pytest.approx(0.9 + 0.5 / 2)
    assert world.scores(back, "item_cf")["a"] == pytest.approx(0.9 + 0.5 / 2**0.5)
    assert world.scores(at_it, "ridge")["a"] == pytest.approx(0.4 + 0.2 / 2)
    assert world.scores(back, "ridge")["a"] == pytest.approx(0.4 + 0.2 / 2**0.5)


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6, unique=True), min_size=1, max_size=4), st.floats(0, 2))
def test_item_cf_sums_equal_a_dense_product(histories: list[list[str]], power: float) -> None:
    world = World(CandidateConfig(recency_power=power))
    dense = np.array([[NEIGHBOURS.get(item, {}).get(other, 0.0) for other in "abcdef"] for item in "abcdef"])
    wanted = [Wanted(world.numbers(*items), np.arange(len(items)), world.numbers()) for items in histories]
    for items, selected in zip(histories, world.selector.select(wanted), strict=True):
        recency = np.zeros(6)
        recency[["abcdef".index(item) for item in items]] = np.arange(1.0, len(items) + 1) ** -power
        expected = {item: total for item, total in zip("abcdef", recency @ dense, strict=True) if total}
        assert world.scores(selected, "item_cf") == pytest.approx(expected, rel=1e-5)


def test_many_items_make_the_arrays_grow() -> None:
    world = World()
    for number in range(3_000):
        world.table.update(f"new{number}", ["a"], np.ones(1, np.float32), 1.0, 10.0, {})
    selected = world.one(("new2999",))
    assert world.scores(selected, "item_cf") == {"a": 1.0}


def test_a_user_without_profile_gets_popular_items_and_the_newest_of_the_catalogue() -> None:
    world = World(CandidateConfig(popular=1))
    selected = world.one((), without_profile=True)
    assert world.scores(selected, "fresh") == pytest.approx({"e": 1.0, "d": 0.5})
    assert [world.items.ids[item] for item in selected.items] == ["f", "e", "d"]
    world.catalogue.put("c", Entry((), (), True, 99.0))
    assert world.scores(world.one((), without_profile=True), "fresh") == pytest.approx({"c": 1.0, "e": 0.5, "d": 1 / 3})


def test_user_cf_proposes_what_near_users_have_and_nothing_that_is_hidden() -> None:
    world = World()
    active = ActiveUsers(5, near=5)
    for user, items in ((b"v", "bdf"), (b"w", "be")):
        active.put(user, Strengths(world.numbers(*items), np.ones(len(items), np.float32)))
    active.refresh(len(world.items))
    selector = CandidateSelector(world.table, world.popular, CandidateConfig(user_cf=2), active)
    own = Strengths(world.numbers("b"), np.ones(1, np.float32))
    wanted = Wanted(world.numbers("b"), np.zeros(1, np.int64), world.numbers("b", "f"), user=b"me", strengths=own)
    stranger = Wanted(world.numbers("b"), np.zeros(1, np.int64), world.numbers("b"))
    both = selector.select([wanted, stranger])
    assert selector.sources == (*SOURCES, USER_CF)
    proposed = [
        {world.items.ids[item]: score for item, score in zip(one.items, one.scores[-1], strict=True) if score}
        for one in both
    ]
    assert proposed == [pytest.approx({"e": 0.5, "d": 1 / 3}, rel=1e-5), {}]
    assert CandidateSelector(world.table, world.popular, CandidateConfig(), active).sources == SOURCES
