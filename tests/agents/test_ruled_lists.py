"""Rules and filters through the agents: what the profiles worker proposes and the scorer lists, on a log in memory."""

from collections.abc import Iterator

import numpy as np
import pytest

from agents.evaluation.pipeline import Pipeline
from agents.knowledge import Knowledge
from agents.records import Event, EventType, Filters, RankedItem, Rule, encode_json
from agents.settings import read_settings
from models.candidates import Wanted

NOW_MS = 1_790_000_000_000
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
FOOD, HOME = [f"food{n}" for n in range(6)], [f"home{n}" for n in range(6)]


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    """Everybody buys food and things for the home; `ana` has food0, food1 and home0."""
    made = Pipeline(read_settings(), NOW_MS)
    made.put_items(
        {"item_id": item, "categories": [item[:4]], "tags": ["end"] * (item[4] == "5")} for item in (*FOOD, *HOME)
    )
    made.absorb(
        [event(f"u{n}", item) for n in range(20) for item in (FOOD[n % 6], FOOD[(n + 1) % 6], HOME[n % 6])], NOW_MS
    )
    made.absorb([event("ana", item) for item in ("food0", "food1", "home0")], NOW_MS)
    made.settle()
    yield made
    made.close()


def event(user: str, item: str, kind: EventType = "purchase", at_ms: int = NOW_MS) -> tuple[bytes, bytes]:
    return user.encode(), encode_json(Event(user, kind, item, at_ms / 1000))


def listed(pipeline: Pipeline, filters: Filters | None = None) -> list[RankedItem]:
    return pipeline.ask({"ana": 0}, 20, filters)[0].items


def ids(pipeline: Pipeline, filters: Filters | None = None) -> set[str]:
    return {item.item_id for item in listed(pipeline, filters)}


NEW = {*FOOD, *HOME} - {"food0", "food1", "home0"}


def test_what_was_bought_comes_again_after_its_time(pipeline: Pipeline) -> None:
    pipeline.put_rules([Rule("weekly", "repeat", categories=["food"], days=7)])
    pipeline.absorb([event("ana", "food1", "view", NOW_MS + 3 * DAY_MS)], NOW_MS + 3 * DAY_MS)
    assert ids(pipeline) == NEW
    pipeline.absorb([event("other", "home1")], NOW_MS + 7 * DAY_MS)
    assert ids(pipeline) == NEW | {"food0"}, "food1 was looked at since"
    pipeline.absorb([event("ana", "food0", "dislike")], NOW_MS + 10 * DAY_MS)
    assert ids(pipeline) == NEW | {"food1"}, "what is disliked stays away"
    pipeline.absorb([event("ana", "food1")], NOW_MS + 10 * DAY_MS)
    pipeline.put_rules([Rule("weekly", "repeat", categories=["home"], days=7)])
    assert ids(pipeline) == NEW | {"home0"}


def test_blocked_items_are_neither_proposed_nor_listed(pipeline: Pipeline) -> None:
    pipeline.put_rules([Rule("b", "block", items=["food3"], categories=["home"], tags=["end"])])
    assert ids(pipeline) == {"food2", "food4"}


def test_blocked_items_take_no_place_among_the_candidates() -> None:
    knowledge, nothing = Knowledge(read_settings(candidates_popular=1)), np.zeros(0, np.int64)
    for item, popularity in (("a", 9.0), ("b", 1.0)):
        knowledge.table.update(item, [], np.zeros(0, np.float32), popularity, 1.0, {})
    until = NOW_MS / 1000 + 5
    knowledge.rules.put(b"b", encode_json(Rule("b", "block", items=["a"], until=until)))
    for later_ms, proposed in ((0, "b"), (4_999, "b"), (5_000, "a")):
        knowledge.refresh()
        knowledge.popular.refresh()
        knowledge.relist(NOW_MS + later_ms)
        (selected,) = knowledge.selectors["default"].select([Wanted(nothing, nothing, nothing)])
        assert [knowledge.items.ids[number] for number in selected.items.tolist()] == [proposed]


def test_pinned_items_say_who_put_them_there(pipeline: Pipeline) -> None:
    pipeline.put_rules([Rule("p", "pin", items=["home3", "food0"], position=0)])
    first, *others = listed(pipeline)
    assert (first.item_id, first.reason) == ("home3", "picked by the shop")
    assert sum(first.sources.values()) == pytest.approx(1)
    assert all(item.reason != "picked by the shop" and item.item_id != "food0" for item in others)


def test_a_rule_counts_from_its_begin_to_its_end(pipeline: Pipeline) -> None:
    begin_s = NOW_MS / 1000 + 10
    pipeline.put_rules([Rule("p", "pin", items=["home3"], position=0, from_time=begin_s, until=begin_s + 10)])
    found = []
    for _ in range(25):  # a tick is a second
        pipeline.tick()
        found.append(listed(pipeline)[0].reason == "picked by the shop")
    assert 8 <= sum(found) <= 10
    assert not found[0]
    assert not found[-1]


def test_filters_name_what_may_be(pipeline: Pipeline) -> None:
    assert ids(pipeline, Filters(exclude_categories=["home"])) == {item for item in NEW if item in FOOD}
    wanted = ["home3", "food4", "food0", "unheard-of", "home5"]
    assert ids(pipeline, Filters(only_items=wanted)) == {"home3", "food4", "home5"}
    assert ids(pipeline, Filters(only_items=wanted, categories=["home"], exclude_items=["home5"])) == {"home3"}


def test_an_item_that_nothing_proposed_is_ranked_when_it_is_named(pipeline: Pipeline) -> None:
    pipeline.put_items([{"item_id": "brand-new", "categories": ["other"]}])
    assert "brand-new" not in ids(pipeline)
    named = listed(pipeline, Filters(only_items=["brand-new", "food4"]))
    assert [item.item_id for item in named] == ["food4", "brand-new"]
    assert (named[1].sources, named[1].reason) == ({"request": 1.0}, "one of those asked for")


def test_pins_may_fill_a_list(pipeline: Pipeline) -> None:
    pipeline.put_rules([Rule("hero", "pin", items=["home3", "home4"], position=0)])
    made = pipeline.ask({"ana": 0}, 1)[0].items + pipeline.ask({"ana": 0}, 2)[0].items
    assert [item.item_id for item in made] == ["home3", "home3", "home4"]


def test_popularity_counts_more_to_who_comes_back(pipeline: Pipeline) -> None:
    def share(asked_ms: int) -> float:
        items = pipeline.ask({"ana": asked_ms}, 20)[0].items
        return sum(item.sources.get("popular", 0.0) for item in items)

    at_it, back = share(NOW_MS + HOUR_MS - 1), share(NOW_MS + HOUR_MS)
    assert back > 1.2 * at_it
