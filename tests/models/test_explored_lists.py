"""Whole lists with places for new items."""

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.explored_lists import explore_lists
from models.new_items import NewItems
from models.pool import EXPLORE
from models.ranked_list import ListInput, RankConfig, Ranked, rank_lists
from models.rules.rule import ShopRule
from tests.models.test_ranked_list import IDS, INDEX, inputs
from tests.models.test_ruled_lists import asked, rules_of

CONFIG = RankConfig(weights={"item_cf": 1.0, "popular": 0.1}, explore_slots=2)


def new_items(taken: list[str]) -> NewItems:
    new = NewItems(INDEX, 100)
    new.taken([(item, True) for item in taken])
    new.refresh()
    return new


def made(one: ListInput, taken: list[str], *rules: ShopRule, slots: int = 2, list_id: str = "r") -> list[Ranked]:
    held, config = rules_of(*rules), replace(CONFIG, explore_slots=slots)
    lists = rank_lists([one], INDEX, config, content=True, rules=held)
    return explore_lists([one], lists, [list_id], INDEX, new_items(taken), config, content=True, rules=held)[0]


@given(inputs(), st.sets(st.sampled_from(IDS)), st.integers(0, 10))
def test_each_item_is_there_once_and_what_is_out_is_not(one: ListInput, taken: set[str], slots: int) -> None:
    places = made(one, sorted(taken), slots=slots)
    ids = [place.item_id for place in places]
    assert len(ids) <= one.k
    assert len(set(ids)) == len(ids)
    assert not set(ids) & one.out
    explored = [place.item_id for place in places if place.lead == EXPLORE]
    assert not set(explored) & taken
    assert all(place.shares == {EXPLORE: 1.0} for place in places if place.item_id in explored)


def test_without_places_or_new_items_lists_are_as_they_were() -> None:
    one = asked(dict.fromkeys(IDS, 1.0), k=10)
    (natural,) = rank_lists([one], INDEX, CONFIG, content=True, rules=rules_of())
    assert made(one, [], slots=0) == natural == made(one, list(IDS), slots=5)


def test_the_last_places_are_explored_and_the_first_stay() -> None:
    one = asked({item: float(len(IDS) - n) for n, item in enumerate(IDS)}, k=10)
    (natural,) = rank_lists([one], INDEX, CONFIG, content=True, rules=rules_of())
    left = [item for item in IDS if item not in {place.item_id for place in natural}]
    if len(left) < 2:
        left = [natural[-1].item_id, natural[-2].item_id]
    places = made(one, [item for item in IDS if item not in left])
    assert places[:8] == natural[:8]
    assert {place.item_id for place in places[8:]} <= set(left)
    assert all(place.lead == EXPLORE for place in places[8:])


def test_blocked_items_and_full_groups_are_not_explored() -> None:
    one = asked({IDS[0]: 1.0}, k=10)
    everything = made(one, [], slots=10)
    shown = Counter(number for place in everything for number in set(place.categories))
    category, count = shown.most_common(1)[0]
    name = INDEX.category_name(category)
    block = ShopRule("b", "block", [place.item_id for place in everything[:3]])
    assert not {place.item_id for place in made(one, [], block, slots=10)} & set(block.items)
    cap = ShopRule("c", "cap", categories=[name], most=1)
    assert count > 1
    assert sum(category in place.categories for place in made(one, [], cap, slots=10)) <= 1


def test_caps_hold_where_there_are_fewer_new_items_than_places() -> None:
    one = asked({item: float(len(IDS) - n) for n, item in enumerate(IDS)}, k=10)
    for taken in (IDS[:-1], IDS[:-2], IDS[:-4]):
        cap = ShopRule("c", "cap", categories=["c0"], most=2)
        shown = [place.item_id for place in made(one, list(taken), cap, slots=4)]
        assert sum(int(item[1:]) % 3 == 0 for item in shown) <= 2


def test_a_cap_that_pins_exceed_is_for_its_group_alone() -> None:
    one = asked({IDS[0]: 1.0}, k=10)
    pin, cap = ShopRule("p", "pin", [IDS[0], IDS[6]]), ShopRule("c", "cap", categories=["c0"], most=1)
    explored = [place.item_id for place in made(one, [], pin, cap, slots=5) if place.lead == EXPLORE]
    assert explored
    assert all(int(item[1:]) % 3 for item in explored)


def test_pins_keep_their_places() -> None:
    one = asked(dict.fromkeys(IDS, 1.0), k=10)
    pin = ShopRule("p", "pin", [IDS[0]], position=9)
    places = made(one, list(IDS[:6]), pin)
    at = [place.item_id for place in places].index(IDS[0])
    assert places[at].pinned
    assert at == len(places) - 1


def test_the_same_ids_give_the_same_lists() -> None:
    one = asked({IDS[0]: 1.0}, k=10)
    lists = [[place.item_id for place in made(one, [], slots=3, list_id=f"r-{n}")] for n in range(10)]
    again = [[place.item_id for place in made(one, [], slots=3, list_id=f"r-{n}")] for n in range(10)]
    assert lists == again
    assert np.unique([",".join(items) for items in lists]).size > 1
