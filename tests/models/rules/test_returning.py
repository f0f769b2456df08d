"""What rules hide from everyone, and what a user may see again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import Catalogue, Entry
from models.interning import Interner
from models.rules.returning import ReturningItems
from models.rules.rule import ShopRule

DAY_S = 86_400.0


def world(*rules: ShopRule) -> tuple[Catalogue, ReturningItems]:
    catalogue = Catalogue(Interner())
    catalogue.put("milk", Entry(("food", "dairy")))
    catalogue.put("bread", Entry(("food",), ("dairy",)))
    catalogue.put("lamp", Entry(("home",)))
    returning = ReturningItems(catalogue)
    returning.update([(rule.name, rule) for rule in rules])
    returning.refresh(0.0)
    return catalogue, returning


def back(catalogue: Catalogue, returning: ReturningItems, days: float) -> set[str]:
    """Of all items, each last touched so many days ago, those that may come again."""
    items = ["milk", "bread", "lamp", "unheard-of"]
    told = returning.returned(catalogue.items.numbers(items), [0.0] * len(items), days * DAY_S)
    return {item for item, again in zip(items, told, strict=True) if again}


def test_what_was_taken_stays_away_without_a_rule() -> None:
    catalogue, returning = world()
    assert not returning.any
    assert back(catalogue, returning, 10_000) == set()


def test_items_of_a_category_come_back_after_their_time() -> None:
    catalogue, returning = world(ShopRule("r", "repeat", categories=["food"], after_s=7 * DAY_S))
    assert returning.any
    assert back(catalogue, returning, 6.99) == set()
    assert back(catalogue, returning, 7) == {"milk", "bread"}


def test_of_several_rules_the_longest_time_counts() -> None:
    catalogue, returning = world(
        ShopRule("a", "repeat", categories=["dairy"], after_s=30 * DAY_S),
        ShopRule("b", "repeat", categories=["food"], after_s=7 * DAY_S),
        ShopRule("c", "repeat", after_s=20 * DAY_S),
    )
    assert back(catalogue, returning, 7) == set()
    assert back(catalogue, returning, 20) == {"bread", "lamp", "unheard-of"}
    assert back(catalogue, returning, 30) == {"milk", "bread", "lamp", "unheard-of"}


def test_a_tag_is_no_category() -> None:
    catalogue, returning = world(ShopRule("a", "repeat", tags=["dairy"], after_s=DAY_S))
    assert back(catalogue, returning, 1) == {"bread"}


def test_blocks_are_by_item_category_and_tag() -> None:
    catalogue, returning = world(
        ShopRule("a", "block", ["unheard-of"], ["home"], ["dairy"]), ShopRule("b", "boost", ["milk"], factor=2.0)
    )
    assert {catalogue.items.ids[number] for number in returning.blocked.tolist()} == {"unheard-of", "lamp", "bread"}


def test_they_follow_rules_time_and_catalogue() -> None:
    catalogue, returning = world(ShopRule("a", "block", categories=["home"], from_s=100.0, until_s=200.0))
    blocked = [returning.refresh(now_s) and returning.blocked.tolist() for now_s in (50.0, 100.0, 150.0, 200.0)]
    assert blocked == [False, [2], False, []]
    returning.update([("a", ShopRule("a", "block", categories=["home"]))])
    assert returning.refresh(300.0)
    catalogue.put("rug", Entry(("home",)))
    assert not returning.refresh(300.0, follow_catalogue=False)
    assert returning.refresh(300.0)
    assert returning.blocked.tolist() == [2, 3]
    returning.update([("a", None)])
    assert returning.refresh(300.0)
    assert returning.blocked.tolist() == []


@given(st.lists(st.floats(0, 40), min_size=3, max_size=3), st.floats(0.5, 30))
def test_each_item_has_its_own_time(ages_days: list[float], after_days: float) -> None:
    catalogue, returning = world(ShopRule("r", "repeat", after_s=after_days * DAY_S))
    now_s = 50 * DAY_S
    last_s = [now_s - age * DAY_S for age in ages_days]
    told = returning.returned(catalogue.items.numbers(["milk", "bread", "lamp"]), last_s, now_s)
    assert told.tolist() == (now_s - np.array(last_s) >= after_days * DAY_S).tolist()
