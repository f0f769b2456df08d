"""Whole lists under rules: blocks, pins, caps, boosts, and requests that name what may be."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.history import END
from models.item_index import ItemIndex
from models.pool import REQUEST, RULE
from models.ranked_list import ListInput, RankConfig, Ranked, rank_lists
from models.rules.item_rules import ItemRules
from models.rules.rule import ShopRule
from tests.models.test_ranked_list import CONFIG, IDS, INDEX, inputs

BY_SCORE = RankConfig(weights={"item_cf": 1.0, "popular": 0.1})


def rules_of(*rules: ShopRule, index: ItemIndex = INDEX) -> ItemRules:
    made = ItemRules(index)
    made.update([(rule.name, rule) for rule in rules])
    made.refresh(0.0)
    return made


def ids_of(places: list[Ranked]) -> list[str]:
    return [place.item_id for place in places]


def asked(scores: dict[str, float], k: int = 5, **more: object) -> ListInput:
    """Candidates of item-CF alone."""
    table = np.array([list(scores.values()), [0.0] * len(scores)], np.float32)
    one = ListInput(k, list(scores), ["item_cf", "popular"], table, np.full(len(scores), -1), [], frozenset())
    return replace(one, **more)  # type: ignore[arg-type]


def ranked(one: ListInput, *rules: ShopRule, config: RankConfig = BY_SCORE) -> list[Ranked]:
    return rank_lists([one], INDEX, config, content=False, rules=rules_of(*rules))[0]


def test_an_item_of_the_history_is_not_pinned() -> None:
    pin = ShopRule("p", "pin", ["i2"])
    assert ids_of(ranked(asked({"i1": 1.0}), pin)) == ["i2", "i1"]
    assert ids_of(ranked(asked({"i1": 1.0}, history=f"{END}i2{END}"), pin)) == ["i1"]


blocks = st.builds(ShopRule, st.just("block"), st.just("block"), st.lists(st.sampled_from(IDS), max_size=5),
                   st.lists(st.sampled_from(["c0", "c2"]), max_size=1))  # fmt: skip
pins = st.builds(
    ShopRule, st.sampled_from(["p", "q"]), st.just("pin"), st.lists(st.sampled_from(IDS), unique=True, max_size=3),
    position=st.integers(0, 9),
)  # fmt: skip
caps = st.builds(ShopRule, st.just("cap"), st.just("cap"), categories=st.sampled_from([["c0"], ["c1", "c2"]]),
                 most=st.integers(1, 3))  # fmt: skip


@given(inputs(), blocks, st.lists(pins, max_size=2), caps, st.booleans(), st.sampled_from([0.0, 0.3]))
def test_rules_hold_in_every_list(
    one: ListInput, block: ShopRule, pinned: list[ShopRule], cap: ShopRule, content: bool, calibration: float
) -> None:
    every = {rule.name: rule for rule in (block, *pinned, cap)}
    config = replace(CONFIG, calibration=calibration)
    (places,) = rank_lists([one], INDEX, config, content, rules_of(*every.values()))
    shown = ids_of(places)
    assert len(set(shown)) == len(shown) <= one.k
    assert not set(shown) & (one.out | set(block.items))
    categories = {item: f"c{int(item[1:]) % 3}" for item in shown}
    assert not {categories[item] for item in shown} & set(block.categories)
    assert all(not one.categories or categories[item] in one.categories for item in shown)
    of_cap = [place for place in places if categories[place.item_id] in cap.categories]
    assert len(of_cap) <= max(cap.most, sum(place.pinned for place in of_cap)), "pins count, and may exceed a cap"
    first: dict[str, int] = {}
    for name in sorted(every):
        for step, item in enumerate(every[name].items if every[name].kind == "pin" else ()):
            if (position := every[name].position + step) < one.k:  # where that is too far down a later pin counts
                first.setdefault(item, position)
    for place in places:
        assert place.pinned == (place.item_id in first)
        assert sum(place.shares.values()) == pytest.approx(1)
        assert RULE not in place.shares or (place.pinned and place.shares == {RULE: 1.0})
        assert RULE not in place.features


@given(inputs(), st.booleans())
def test_rules_that_change_nothing_change_nothing(one: ListInput, content: bool) -> None:
    plain = rank_lists([one], INDEX, CONFIG, content)
    nothing = rules_of(
        ShopRule("a", "boost", categories=["c0", "c1", "c2"], factor=1.0),
        ShopRule("b", "block", ["unknown", "unheard-of"], ["nowhere"]),
        ShopRule("c", "cap", categories=["c0"], most=100),
        ShopRule("d", "pin", ["unknown"], position=0),
        ShopRule("e", "repeat", categories=["c0"], after_s=0.0),
        ShopRule("f", "block", ["i0"], until_s=-1.0),
    )
    assert rank_lists([one], INDEX, CONFIG, content, nothing) == plain


def test_a_boost_multiplies_the_score_and_leaves_the_shares() -> None:
    one = asked({"i0": 4.0, "i1": 3.0, "i2": 2.0})
    assert ids_of(ranked(one)) == ["i0", "i1", "i2"]
    boosted = ranked(
        one, ShopRule("b", "boost", categories=["c1"], factor=2.0), ShopRule("c", "boost", ["i0"], factor=0.5)
    )
    assert [(place.item_id, place.score) for place in boosted] == [("i1", 1.5), ("i0", 0.5), ("i2", 0.5)]
    assert all(place.shares == {"item_cf": 1.0} for place in boosted)


def test_the_weight_of_an_item_multiplies_its_score() -> None:
    index = ItemIndex()
    for item, weight in (("a", 1.0), ("b", 1.5)):
        index.put(item, "", [], True, "", weight=weight)
    (places,) = rank_lists([asked({"a": 4.0, "b": 3.0})], index, BY_SCORE, content=False, rules=rules_of(index=index))
    assert [(place.item_id, place.score) for place in places] == [("b", 1.125), ("a", 1.0)]


def test_pinned_items_are_there_although_nothing_proposed_them() -> None:
    pin = ShopRule("p", "pin", ["i5", "i3", "i8"], position=1)
    places = ranked(asked({"i0": 4.0, "i1": 3.0, "i8": 2.0}), pin)
    assert ids_of(places) == ["i0", "i5", "i1", "i8"], "i3 is not available; its place goes to another"
    assert [place.pinned for place in places] == [False, True, False, True]
    assert [place.shares for place in places] == [{"item_cf": 1.0}, {RULE: 1.0}, {"item_cf": 1.0}, {"item_cf": 1.0}]
    assert ids_of(ranked(asked({}), pin)) == ["i5", "i8"]
    assert ids_of(ranked(asked({}, k=2), pin)) == ["i5"]


def test_pins_beyond_the_list_are_not_in_it() -> None:
    assert ids_of(ranked(asked({"i0": 1.0}, k=2), ShopRule("p", "pin", ["i5"], position=2))) == ["i0"]


def test_a_cap_leaves_room_for_others() -> None:
    one = asked({"i0": 5.0, "i6": 4.0, "i9": 3.5, "i12": 3.0, "i1": 2.0}, k=3)
    cap = ShopRule("c", "cap", categories=["c0"], most=2)
    assert ids_of(ranked(one, cap)) == ["i0", "i6", "i1"]
    assert ids_of(ranked(one, cap, ShopRule("p", "pin", ["i21"], position=2))) == ["i0", "i1", "i21"]


def test_excluded_categories_are_not_in_the_list() -> None:
    one = asked({"i0": 3.0, "i1": 2.0, "i2": 1.0}, exclude_categories=["c0", "nowhere"])
    assert ids_of(ranked(one)) == ["i1", "i2"]


def test_the_only_items_are_all_ranked_also_those_that_nothing_proposed() -> None:
    one = asked({"i0": 3.0, "i1": 2.0, "i2": 1.0}, only=["i6", "i2", "i1", "i3", "nowhere"])
    places = ranked(one)
    assert ids_of(places) == ["i1", "i2", "i6"], "i3 is not available"
    assert places[2].shares == {REQUEST: 1.0}
    assert ids_of(ranked(one, ShopRule("p", "pin", ["i0", "i6"], position=0))) == ["i1", "i6", "i2"]
    content = rank_lists([replace(one, recent=["i0"])], INDEX, CONFIG, content=True)[0]
    assert set(ids_of(content)) == {"i1", "i2", "i6"}


def test_without_a_catalogue_blocked_items_are_left_out_by_their_ids() -> None:
    index = ItemIndex()
    rules = rules_of(ShopRule("b", "block", ["a"]), ShopRule("p", "pin", ["c"]), index=index)
    (places,) = rank_lists([asked({"a": 2.0, "b": 1.0})], index, BY_SCORE, content=False, rules=rules)
    assert ids_of(places) == ["b"]


def test_calibration_brings_the_categories_of_the_history() -> None:
    scores = {item: 9.0 - n for n, item in enumerate(["i0", "i6", "i9", "i12", "i18", "i1", "i4"])}
    one = asked(scores, k=4, recent=["i13", "i16"])
    assert Counter(int(item[1:]) % 3 for item in ids_of(ranked(one))) == {0: 4}
    calibrated = ranked(one, config=replace(BY_SCORE, calibration=0.5))
    assert ids_of(calibrated)[:2] == ["i1", "i4"]
