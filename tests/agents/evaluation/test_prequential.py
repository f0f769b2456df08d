"""Events played through the agents: what a list knows, when it knows it, and what is counted."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset, load
from agents.evaluation.events import EvaluationEvent
from agents.evaluation.pipeline import Pipeline
from agents.evaluation.prequential import EVENTS_A_SECOND, Prequential
from agents.evaluation.report import Report
from agents.records import Event, EventType
from agents.settings import read_settings
from models.accuracy import NOT_IN_LIST

NOW_MS = 1_790_000_000_000


def event(
    user: str, item: str | None, kind: EventType = "purchase", number: int = 0, basket: str = ""
) -> EvaluationEvent:
    query = "mug" if kind == "search" else None
    made = Event(user_id=user, event_type=kind, item_id=item, timestamp=NOW_MS / 1000 + number, query=query)
    return EvaluationEvent(made, NOW_MS + 1_000 * number, basket)


def bought(*pairs: tuple[str, str], basket: str = "") -> list[EvaluationEvent]:
    return [event(user, item, number=number, basket=basket) for number, (user, item) in enumerate(pairs)]


def pairs_of(users: int) -> list[tuple[str, str]]:
    """Every user buys two items that belong together, one of ten couples; of each user one after the other."""
    return [(f"u{user}", f"{side}{user % 10}") for user in range(users) for side in ("left", "right")]


def run(events: Sequence[EvaluationEvent], train: float = 0.5, items: Sequence[dict[str, Any]] = ()) -> Report:
    seen: list[int] = []
    played = Prequential(Dataset("test", list(events), list(items)), read_settings(), 10)
    report = played.run(train, seen.append)
    assert sum(seen) == len(events)
    return report


def test_what_was_bought_together_comes_first() -> None:
    report = run(bought(*pairs_of(200)))
    assert len(report.lists.ranks) == 100, "the second purchase of each user counts, the first has no history"
    assert set(report.lists.ranks) == {0}
    assert max(report.popular.ranks) > 0
    assert (report.trained, report.tested, report.items) == (200, 200, 20)


def test_an_event_again_is_not_compared() -> None:
    report = run(bought(*pairs_of(20), *[("u0", "left0"), ("u0", "right0")] * 3, ("u0", "left1")), train=37 / 47)
    assert report.lists.users == ["u18", "u19", "u0"], "new to them: their second item, and left1"


def test_what_was_known_is_kept_for_each_event() -> None:
    report = run(bought(*pairs_of(20), ("u0", "fresh"), ("u1", "fresh"), ("u1", "left5")), train=40 / 43)
    moments = report.moments
    assert (moments.histories, moments.trained) == ([2, 2, 3], [False, False, True])
    assert moments.taken == [0, 0, 2], "the first two are asked about together"
    assert moments.lists == [0, 1, 2]
    basket = run([*bought(*pairs_of(20)), *bought(("u1", "left5"), ("u1", "left6"), basket="one")], train=40 / 42)
    assert basket.moments.lists == [0, 0]


def test_lists_are_measured_by_the_categories_of_the_catalogue() -> None:
    items = [{"item_id": f"{side}{n}", "categories": [side]} for side in ("left", "right") for n in range(10)]
    report = run(bought(*pairs_of(200)), items=items)
    ours = report.methods["profilestream"].contents
    assert 0 < ours.diversity().value < 1
    assert ours.miscalibration().value > 0, "histories of one side, lists of both"
    assert math.isnan(run(bought(*pairs_of(200))).methods["popular"].contents.diversity().value)


def test_a_new_item_is_a_miss() -> None:
    report = run(bought(*pairs_of(20), ("u0", "never-seen")), train=0.98)
    assert (report.lists.ranks, report.popular.ranks) == ([NOT_IN_LIST], [NOT_IN_LIST])


@pytest.mark.parametrize("kind", ["impression", "dislike", "search"])
def test_what_takes_no_item_is_absorbed_but_neither_compared_nor_history(kind: EventType) -> None:
    events = [*bought(*pairs_of(20)), event("u0", None if kind == "search" else "left1", kind, 40)]
    report = run([*events, event("u0", "right2", number=41)], train=40 / 42)
    assert report.lists.users == ["u0"]
    report = run([*events, event("u0", "left1", number=41)], train=40 / 42)
    assert report.lists.users == ["u0"], "left1 is still new to the user"


def test_what_is_in_one_basket_does_not_tell_of_itself() -> None:
    before = bought(*pairs_of(100))
    couple = [("u1", "left7"), ("u1", "right7")]
    assert run([*before, *bought(*couple)], train=200 / 202).lists.ranks[1] == 0, "with left7 taken in, right7 is next"
    together = run([*before, *bought(*couple, basket="one")], train=200 / 202)
    assert len(together.lists.ranks) == 2
    assert together.lists.ranks[1] != 0


def test_a_long_basket_is_one_basket() -> None:
    """Longer than what is asked at once, begun in the middle of it, and across the end of the training."""
    couples = [("big", f"{side}{n}") for n in range(EVENTS_A_SECOND) for side in ("first", "second")]
    teach = [(f"u{user}", item) for user in range(3) for _, item in couples]
    alone = [("u0", "x"), ("big", "left0"), ("u1", "y")]
    events = [*bought(*teach, *alone), *bought(*couples, *couples, basket="one")]
    report = run(events, train=(len(teach) + len(alone)) / len(events))
    assert len(report.lists.ranks) == len(couples), "an item twice in a basket is compared once"
    assert max(report.lists.ranks) < 10
    shown = {rank for rank in report.lists.ranks if rank != NOT_IN_LIST}
    assert len([rank for rank in report.lists.ranks if rank != NOT_IN_LIST]) == len(shown), "all of them in one list"
    later = [*events, *bought(("u0", "left0"))]
    across = run(later, train=(len(teach) + len(alone) + 50) / len(later))
    assert across.trained == len(events), "a basket that has begun is trained with to its end"


def test_two_users_with_baskets_in_turn() -> None:
    before = bought(*pairs_of(100))
    turns = [("u1", "left7", "a"), ("u2", "left8", "b"), ("u1", "right7", "a"), ("u2", "right8", "b")]
    after = [event(user, item, basket=basket) for user, item, basket in turns]
    with_order = run([*before, *sorted(after, key=lambda one: one.basket)], train=200 / 204)
    assert with_order.lists.users == ["u1", "u1", "u2", "u2"]
    assert with_order.lists.ranks[1] != 0
    assert with_order.lists.ranks[3] != 0


def test_nothing_to_compare_is_said() -> None:
    with pytest.raises(SetupError, match="nothing to compare"):
        run(bought(("a", "x"), ("b", "y"), ("c", "z")))
    with pytest.raises(SetupError, match="no events"):
        run([])


def test_a_catalogue_of_other_items_is_said() -> None:
    with pytest.raises(SetupError, match="no item of the events is in the catalogue"):
        run(bought(*pairs_of(20)), items=[{"item_id": "other"}])


def test_lists_have_none_of_what_the_user_has() -> None:
    pipeline = Pipeline(read_settings(), NOW_MS)
    pipeline.absorb([one.record() for one in bought(*pairs_of(50))], NOW_MS)
    pipeline.settle()
    (made,) = pipeline.ask({"u3": 0}, 20)
    items = [item.item_id for item in made.items]
    assert len(items) == 18
    assert not {"left3", "right3"} & set(items)
    assert made.items[0].reason
    assert pipeline.rejected.total() == 0


def test_the_catalogue_gives_titles_and_takes_what_is_sold_out() -> None:
    pipeline = Pipeline(read_settings(), NOW_MS)
    pipeline.put_items(
        [
            {"item_id": f"{side}{number}", "title": f"The {side} one", "available": number != 5}
            for side in ("left", "right")
            for number in range(10)
        ]
    )
    pipeline.absorb([one.record() for one in bought(*pairs_of(50), ("new", "left5"), ("new", "left4"))], NOW_MS)
    pipeline.settle()
    (made,) = pipeline.ask({"new": 0}, 20)
    assert {item.title for item in made.items} == {"The left one", "The right one"}
    assert made.items[0].item_id == "right4"
    assert "right5" not in {item.item_id for item in made.items}


def test_an_item_of_the_future_comes_when_its_time_comes() -> None:
    pipeline = Pipeline(read_settings(), NOW_MS)
    added_s = NOW_MS / 1000 + 3_600
    of_couples = [{"item_id": f"{side}{n}", "categories": ["c"]} for side in ("left", "right") for n in range(10)]
    pipeline.put_items([*of_couples, {"item_id": "new", "categories": ["c"], "added_at": added_s}])
    for at_ms, shown in ((NOW_MS, False), (round(added_s * 1000), True)):
        pipeline.absorb([one.record() for one in bought(*pairs_of(5))], at_ms)
        pipeline.settle()
        (made,) = pipeline.ask({"u3": 0}, 20)
        assert ("new" in {item.item_id for item in made.items}) == shown


def test_items_that_nobody_took_count_as_known() -> None:
    never = [{"item_id": f"never{n}"} for n in range(30)]
    catalogue = [*never, *({"item_id": f"{side}{n}"} for side in ("left", "right") for n in range(10))]
    report = run(bought(*pairs_of(200)), items=catalogue)
    assert report.items == 50
    assert 0 < report.exposure.coverage(report.items) <= 1
    assert 0 < report.exposure.gini(report.items) < 1


def test_bad_events_are_counted_as_a_worker_would() -> None:
    pipeline = Pipeline(read_settings(), NOW_MS)
    pipeline.absorb([(b"u", b"{"), (b"u", b'{"user_id": "v", "event_type": "view", "item_id": "i"}')], NOW_MS)
    assert pipeline.rejected == {"bad_json": 1, "wrong_key": 1}


def test_the_bundled_sample() -> None:
    sample = load("sample")
    assert [one.at_ms for one in sample.events] == sorted(one.at_ms for one in sample.events)
    report = Prequential(sample, read_settings(), 20, until=0.2).run(0.8, lambda _: None)
    assert report.lists.hit_rate(10).value > 1.5 * report.popular.hit_rate(10).value
    assert 0 < report.exposure.gini(report.items) < 1
    assert not report.rejected
