"""What rules say of each place, against a loop over items and rules; kept up as made anew."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.item_index import ItemIndex
from models.rules.item_rules import ItemRules
from models.rules.rule import ShopRule

IDS = [f"i{n}" for n in range(8)]
WORDS = ["tea", "red", "new"]
Item = tuple[list[str], list[str], float | None, float]
"""Categories, tags, when it was added, weight."""

words = st.lists(st.sampled_from(WORDS), unique=True, max_size=2)
entries = st.tuples(words, words, st.none() | st.sampled_from([0.0, 50.0, 90.0]), st.sampled_from([0.5, 1.0, 2.0]))
changes = st.lists(st.tuples(st.sampled_from(IDS), st.none() | entries), max_size=12)


@st.composite
def some_rules(draw: st.DrawFn) -> dict[str, ShopRule | None]:
    made: dict[str, ShopRule | None] = {}
    for name in draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4)):
        made[name] = draw(
            st.none()
            | st.builds(
                ShopRule,
                st.just(name),
                st.sampled_from(["boost", "block", "cap"]),
                st.lists(st.sampled_from([*IDS, "unknown"]), max_size=2),
                words,
                words,
                st.sampled_from([None, 10.0, 60.0]),
                st.sampled_from([0.5, 3.0]),
                most=st.integers(1, 3),
                from_s=st.sampled_from([0.0, 100.0]),
                until_s=st.sampled_from([100.0, 200.0]),
            )
        )
    return made


def put(index: ItemIndex, item: str, entry: Item | None) -> None:
    if entry is None:
        index.remove(item)
    else:
        categories, tags, added_at, weight = entry
        index.put(item, "", categories, True, "", tags=tags, added_at=added_at, weight=weight)


def selects(rule: ShopRule, item: str, entry: Item | None, now_s: float) -> bool:
    categories, tags, added_at, _ = entry or ([], [], None, 1.0)
    named = item in rule.items or set(categories) & set(rule.categories) or set(tags) & set(rule.tags)
    young = rule.added_within_s is None or (added_at is not None and now_s < added_at + rule.added_within_s)
    return bool((named or rule.selects_all) and young)


def check(
    rules: ItemRules, index: ItemIndex, held: Mapping[str, ShopRule], catalogue: Mapping[str, Item | None], now_s: float
) -> None:
    in_force = [rule for _, rule in sorted(held.items()) if rule.from_s <= now_s < rule.until_s]
    caps = [rule for rule in in_force if rule.kind == "cap"]
    assert rules.most.tolist() == [rule.most for rule in caps]
    ids = [*catalogue, "unknown"]
    places = index.places(ids)
    factors, grouped = rules.factors(places), rules.grouped(places)
    for row, item in enumerate(ids):
        entry = catalogue.get(item)
        if places[row] < 0:
            assert factors[row] == 1
            assert not grouped[row].any()
            continue
        hit = [rule for rule in in_force if selects(rule, item, entry, now_s)]
        weight = entry[3] if entry is not None else 1.0
        assert factors[row] == pytest.approx(weight * np.prod([r.factor for r in hit if r.kind == "boost"]))
        assert rules.blocked(places[row : row + 1])[0] == any(rule.kind == "block" for rule in hit)
        assert grouped[row].tolist() == [rule in hit for rule in caps]


@given(st.lists(st.tuples(changes, some_rules(), st.sampled_from([0.0, 1.0, 30.0, 45.0])), max_size=5))
def test_the_arrays_follow_catalogue_rules_and_time(
    steps: list[tuple[list[tuple[str, Item | None]], dict[str, ShopRule | None], float]],
) -> None:
    index = ItemIndex()
    rules, held, catalogue, now_s = ItemRules(index), dict[str, ShopRule](), dict[str, Item | None](), 60.0
    for items, changed, later_s in steps:
        for item, entry in items:
            put(index, item, entry)
            if entry is not None or item in catalogue:
                catalogue[item] = entry
        rules.update(changed.items())
        held = {name: rule for name, rule in {**held, **changed}.items() if rule is not None}
        now_s += later_s
        rules.refresh(now_s)
        check(rules, index, held, catalogue, now_s)


def test_pins_are_in_the_order_of_names_and_items() -> None:
    rules = ItemRules(ItemIndex())
    rules.update([("b", ShopRule("b", "pin", ["x", "y"], position=3)), ("a", ShopRule("a", "pin", ["z"], position=0))])
    rules.refresh(0.0)
    assert rules.pins == [(0, "z"), (3, "x"), (4, "y")]
    rules.update([("a", None)])
    rules.refresh(0.0)
    assert rules.pins == [(3, "x"), (4, "y")]


def test_a_change_of_one_item_looks_at_that_item_alone() -> None:
    index = ItemIndex()
    for item in IDS:
        index.put(item, "", ["tea"], True, "")
    seen = index.changes
    index.put("i3", "", [], True, "")
    index.remove("i5")
    assert index.changed_since(seen).tolist() == [3, 5]
    assert index.changed_since(index.changes).tolist() == []
