"""Which new items are shown: by text, by what came of them, and each in its turn."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exploring import DUE_SHARE, Wish, explored, free_slots, slots_of, text_scores, with_explored
from models.item_index import Floats, ItemIndex
from models.new_items import NewItems

MANY = 1_000_000


def make_new(vectors: Mapping[str, tuple[float, float]], impressions: int = MANY) -> tuple[ItemIndex, NewItems]:
    index = ItemIndex(2)
    for item in vectors:
        index.put(item, item, (), True, item)
    places, texts = index.waiting(len(vectors))
    rows = np.array([vectors[text] for text in texts], np.float32)
    index.set_vectors(places, texts, rows / np.linalg.norm(rows, axis=1, keepdims=True))
    new = NewItems(index, impressions)
    new.refresh()
    return index, new


def wish(new: NewItems, list_id: str, recent: Floats | None = None) -> Wish:
    count = len(new.places)
    recent = np.zeros((0, 2), np.float32) if recent is None else recent
    text = text_scores(new.vectors @ recent.T)
    return Wish(list_id, text, np.ones(count, np.bool_), np.ones(count, np.float32))


def test_the_last_of_each_ten_places_are_for_new_items() -> None:
    assert slots_of(10, 1) == [9]
    assert slots_of(25, 2) == [8, 9, 18, 19, 24]
    assert slots_of(5, 1) == []
    assert slots_of(5, 2) == [4]
    assert slots_of(3, 10) == [0, 1, 2]
    assert slots_of(100, 0) == []


def test_new_items_take_the_places_of_the_last_others_and_pins_stay() -> None:
    natural = [*"abcdefghij"]
    assert with_explored(natural, [False] * 10, ["NEW"], 10, 1) == [*"abcdefghi", "NEW"]
    pinned = [place == 9 for place in range(10)]
    assert free_slots(pinned, 10, 2) == [8]
    assert with_explored(natural, pinned, ["NEW"], 10, 2) == [*"abcdefgh", "NEW", "j"]


def test_fewer_new_items_than_places_leave_them_to_the_others() -> None:
    assert with_explored([*"abc"], [False] * 3, [], 10, 1) == [*"abc"]
    assert with_explored([*"abc"], [False] * 3, ["NEW"], 10, 1) == [*"abc", "NEW"]


def test_text_scores_follow_their_formula() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [-1, 0]], np.float32)
    recent = np.array([[1, 0], [0, 1]], np.float32)
    least = 0.01**6
    expected = [1 + least / 2**0.5, 0.6**6 + 0.8**6 / 2**0.5, least + least / 2**0.5]
    assert text_scores(vectors @ recent.T) == pytest.approx(expected, rel=1e-4)
    assert text_scores(vectors @ recent[:0].T).tolist() == [1, 1, 1]


def test_the_nearest_by_text_is_mostly_shown() -> None:
    index, new = make_new({"near": (1.0, 0.1), "far": (0.1, 1.0)})
    recent = np.array([[1, 0]], np.float32)
    first = Counter(index.ids[explored(wish(new, f"r-{n}", recent), new, 1)[0]] for n in range(200))
    assert first["near"] > 0.9 * 200


def test_draws_come_of_the_lists_id_alone() -> None:
    _, new = make_new({f"i{n:02}": (1.0, float(n)) for n in range(30)})
    lists = [explored(wish(new, f"r-{n}"), new, 3).tolist() for n in range(20)]
    assert lists == [explored(wish(new, f"r-{n}"), new, 3).tolist() for n in range(20)]
    assert len({tuple(places) for places in lists}) > 10
    assert all(len(set(places)) == 3 for places in lists)


def test_what_may_not_be_shown_is_not() -> None:
    index, new = make_new({"a": (1.0, 0.0), "b": (0.0, 1.0)})
    asked = wish(new, "r")
    asked.allowed[0] = False
    assert [index.ids[place] for place in explored(asked, new, 5)] == ["b"]


def test_thompson_sampling_converges_on_the_better_item() -> None:
    index, new = make_new({"good": (1.0, 0.0), "poor": (1.0, 0.0)})
    clicked, counts = np.random.default_rng(3), {"good": (0, 0), "poor": (0, 0)}
    rates, shown = {"good": 0.2, "poor": 0.05}, []
    for number in range(3_000):
        item = index.ids[explored(wish(new, f"r-{number}"), new, 1)[0]]
        hit = bool(clicked.random() < rates[item])
        counts[item] = (counts[item][0] + hit, counts[item][1] + (not hit))
        new.use(counts)
        new.refresh()
        shown.append(item)
    late = Counter(shown[-1_000:])
    # A tenth of the places is for what was shown least, the poor one.
    assert late["good"] / late.total() > 1 - DUE_SHARE - 0.03
    assert late["poor"] / late.total() > DUE_SHARE / 2


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32), st.integers(1, 8))
def test_each_item_is_shown_so_often_within_n_times_n_due_places(
    count: int, impressions: int, seed: int, lag: int
) -> None:
    """Whatever texts say and users click, and though counts are known only some lists later."""
    draw = np.random.default_rng(seed)
    vectors = {f"i{n}": (float(draw.normal()), float(draw.normal())) for n in range(count)}
    index, new = make_new(vectors, impressions)
    recent = np.array([[1, 0]], np.float32)
    counts = dict.fromkeys(vectors, (0, 0))
    places = 0
    most = 3 * lag * count * impressions / DUE_SHARE + 20 * lag / DUE_SHARE
    while len(new.places):
        for _ in range(lag):
            (place,) = explored(wish(new, f"{seed}-{places}", recent), new, 1)
            item, hit = index.ids[place], bool(draw.random() < 0.3)
            counts[item] = (counts[item][0] + hit, counts[item][1] + (not hit))
            places += 1
        new.use(dict(counts))
        new.refresh()
        assert places <= most
    assert min(map(sum, counts.values())) >= impressions
