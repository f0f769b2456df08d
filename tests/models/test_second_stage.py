"""The second stage: who is read, in which time, and what comes of it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bert.contract import Floats
from models.item_index import ItemIndex
from models.pair_texts import profile_text
from models.ranked_list import ListInput, RankConfig, Ranked, rank_lists
from models.second_stage import BERT, Pair, SecondStage, units_of
from models.speed import Speed

CONFIG = RankConfig(weights={"item_cf": 1.0, BERT: 1.0})
ITEMS = [f"i{n}" for n in range(8)]
TITLES = {item: f"title of number {n}" for n, item in enumerate(ITEMS)}


class Clock:
    """Time passes by work alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class ByNumber:
    """Likes items by their number, the last one most; takes a second for a thousand letters."""

    version = "by-number"

    def __init__(self, clock: Clock) -> None:
        self._clock, self.seen = clock, list[Pair]()

    def chances(self, pairs: Sequence[Pair]) -> Floats:
        self._clock.now += sum(map(units_of, pairs)) / 1_000
        self.seen += pairs
        return np.array([(1 + int(item.rsplit(" ", 1)[1])) / 10 for _, item in pairs], np.float32)


def make_index() -> ItemIndex:
    index = ItemIndex()
    for item, title in TITLES.items():
        index.put(item, title, [], True, title)
    index.put("bare", "", [], True, "")
    return index


INDEX = make_index()


def asked(**changes: object) -> ListInput:
    """A user who had to do with two items; the blend's order is that of the numbers, i0 first."""
    scores = np.linspace(1, 0.3, len(ITEMS), dtype=np.float32)[None]
    because = np.full(len(ITEMS), -1)
    plain = ListInput(len(ITEMS), ITEMS, ["item_cf"], scores, because, ["mug", "bare"], frozenset(), history_length=2)
    index_items = replace(plain, recent=["i7", "i6"], out=frozenset(["i6", "i7"]))
    return replace(index_items, **changes)  # type: ignore[arg-type]


def make(most: int = 3) -> tuple[SecondStage, ByNumber, Clock]:
    clock = Clock()
    scorer = ByNumber(clock)
    return SecondStage(scorer, most, clock), scorer, clock


def order(ranked: Sequence[Ranked]) -> list[str]:
    return [place.item_id for place in ranked]


def test_the_best_of_the_blend_are_read_and_the_others_stay_below_in_its_order() -> None:
    second, scorer, _ = make(most=3)
    (ranked,) = rank_lists([asked()], INDEX, CONFIG, content=False, second=second)
    profile = "title of number 6\ntitle of number 7"
    assert scorer.seen == [(profile, TITLES[item]) for item in ("i0", "i1", "i2")]
    assert order(ranked) == ["i2", "i1", "i0", "i3", "i4", "i5"]
    assert (second.asked, second.scored) == ([3], [3])
    first = ranked[0]
    # Chances .1, .2, .3 divided by the best; the blend's own score of i2 is .8.
    assert first.features == {"item_cf": 0.8, BERT: 1.0, "history_length": 2.0}
    assert first.score == pytest.approx(1.8)
    assert first.lead == BERT
    assert ranked[2].features[BERT] == pytest.approx(1 / 3, abs=1e-5)
    assert BERT not in ranked[3].features, "not read is not the same as found bad"


def test_without_time_a_list_is_that_of_the_blend() -> None:
    second, scorer, clock = make()
    second.warm_up(("a", "title of number 0"))
    scorer.seen.clear()
    alone = rank_lists([asked()], INDEX, replace(CONFIG, weights={"item_cf": 1.0}), content=False)
    second.until = clock.now
    late = rank_lists([asked()], INDEX, CONFIG, content=False, second=second)
    assert (second.asked, second.scored, scorer.seen) == ([3], [0], [])
    assert late == alone


def test_a_list_is_read_as_far_as_there_is_time() -> None:
    second, _, clock = make()
    second.warm_up(("a", "title of number 0"))
    pair = (profile_text([TITLES["i7"], TITLES["i6"]]), TITLES["i0"])
    second.until = clock.now + 2.1 * second.speed.seconds(units_of(pair))
    (ranked,) = rank_lists([asked()], INDEX, CONFIG, content=False, second=second)
    assert (second.asked, second.scored) == ([3], [2])
    assert order(ranked)[:3] == ["i1", "i0", "i2"]


def test_lists_that_are_due_first_are_read_first() -> None:
    second, _, clock = make()
    second.warm_up(("a", "title of number 0"))
    took = 3 * second.speed.seconds(units_of((profile_text([TITLES["i7"], TITLES["i6"]]), TITLES["i0"])))
    second.until = clock.now + 2.1 * took
    rank_lists([asked(due=one) for one in (30.0, 10.0, 20.0)], INDEX, CONFIG, content=False, second=second)
    assert second.scored == [0, 3, 3]


def test_who_has_no_titles_is_not_read_and_not_late() -> None:
    second, scorer, _ = make()
    rank_lists([asked(recent=["bare", "unknown"])], INDEX, CONFIG, content=False, second=second)
    assert (second.asked, scorer.seen) == ([0], [])


def test_what_is_on_the_page_and_what_was_searched_for_are_the_newest() -> None:
    second, scorer, _ = make(most=1)
    rank_lists([asked(context_item="i5", search="tea pot")], INDEX, CONFIG, content=False, second=second)
    lines = [TITLES["i6"], TITLES["i7"], TITLES["i5"], "tea pot"]
    assert [profile for profile, _ in scorer.seen] == ["\n".join(lines)]


@given(st.lists(st.integers(1, 8), min_size=1, max_size=5))
def test_a_list_is_the_same_alone_and_among_others(sizes: list[int]) -> None:
    inputs = [asked(k=size, recent=["i7", f"i{size - 1}"]) for size in sizes]
    together = rank_lists(inputs, INDEX, CONFIG, content=False, second=make()[0])
    alone = [rank_lists([one], INDEX, CONFIG, content=False, second=make()[0])[0] for one in inputs]
    assert together == alone


def test_a_source_without_weight_costs_no_time() -> None:
    second, scorer, _ = make()
    rank_lists([asked()], INDEX, replace(CONFIG, weights={"item_cf": 1.0, BERT: 0.0}), content=False, second=second)
    assert scorer.seen == []


def test_the_speed_follows_what_is_measured() -> None:
    speed = Speed()
    assert speed.seconds(1_000) == 0
    speed.add(100, 1.0)
    assert speed.seconds(10) == pytest.approx(0.1)
    for _ in range(40):
        speed.add(100, 3.0)
    assert speed.seconds(10) == pytest.approx(0.3, rel=0.01)
    speed.add(0, 5.0)
    assert speed.seconds(10) == pytest.approx(0.3, rel=0.01)


def test_a_profile_text_has_the_newest_titles_and_the_newest_last() -> None:
    assert profile_text(["e ", "d", "c", "b", "a", "older"]) == "a\nb\nc\nd\ne"
    assert profile_text([]) == ""
