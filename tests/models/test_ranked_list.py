"""Whole lists: what may never be in them, and what must be true of each place."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bert.contract import HashEncoder
from models.choice_model import BANDS
from models.history import END, History, ids_of
from models.item_index import ItemIndex
from models.learner import Learner
from models.ranked_list import CONTENT, ListInput, RankConfig, rank_lists
from models.ranking import BandWeights

WORDS = ["mug", "pot", "lamp", "rug", "card", "bag"]
CONFIG = RankConfig(weights={"item_cf": 1.0, "popular": 0.1, CONTENT: 0.3}, candidates_content=5, diversity=0.2)
NOTHING = np.zeros((2, 0), np.float32)
NO_PLACES = np.zeros(0, np.int64)


def make_index(count: int = 24, dimension: int = 16) -> ItemIndex:
    """Items i0 … in categories c0 … c2, each third one unavailable, titles of two words."""
    index, encoder = ItemIndex(dimension), HashEncoder(dimension)
    for n in range(count):
        title = f"{WORDS[n % 6]} {WORDS[n // 6 % 6]}"
        index.put(f"i{n}", title, [f"c{n % 3}"], n % 4 != 3, title)
    places, texts = index.waiting(count)
    index.set_vectors(places, texts, encoder.encode(texts))
    return index


INDEX = make_index()
IDS = [f"i{n}" for n in range(24)]
SUBSETS = st.lists(st.sampled_from(IDS), unique=True, max_size=12)


@st.composite
def inputs(draw: st.DrawFn) -> ListInput:
    items = draw(st.lists(st.sampled_from([*IDS, "unknown"]), max_size=15))
    recent = draw(SUBSETS)
    scores = draw(st.lists(st.floats(0, 10, width=16), min_size=2 * len(items), max_size=2 * len(items)))
    context = draw(st.sampled_from(["", "i0", "unknown"]))
    query = HashEncoder(16).encode(["mug"])[0] if draw(st.booleans()) else None
    because = draw(st.lists(st.integers(-1, len(recent) - 1), min_size=len(items), max_size=len(items)))
    history = [item for item in draw(SUBSETS) if item not in items]
    return ListInput(
        k=draw(st.integers(1, 8)),
        items=items,
        sources=["item_cf", "popular"],
        scores=np.array(scores, np.float32).reshape(2, len(items)),
        because=np.array(because, np.int64),
        recent=recent,
        out=frozenset(draw(SUBSETS)) | {context},
        context_item=context,
        query=query,
        categories=draw(st.sampled_from([[], ["c1"], ["c0", "nowhere"], ["nowhere"]])),
        only=draw(st.one_of(st.just([]), SUBSETS)),
        history=History.of(dict.fromkeys(history, 1)).joined,
    )


@given(st.lists(inputs(), min_size=2, max_size=6), st.sampled_from([0.0, 0.05, 0.4]))
def test_a_list_is_to_the_last_digit_the_same_alone_and_among_others(batch: list[ListInput], diversity: float) -> None:
    config = replace(CONFIG, diversity=diversity)
    together = rank_lists(batch, INDEX, config, content=False)
    assert together == [rank_lists([one], INDEX, config, content=False)[0] for one in batch]


@given(st.lists(inputs(), max_size=4), st.booleans(), st.sampled_from([0, 1, 2]))
def test_what_must_not_be_in_a_list_never_is(batch: list[ListInput], content: bool, cap: int) -> None:
    lists = rank_lists(batch, INDEX, replace(CONFIG, category_cap=cap), content)
    assert len(lists) == len(batch)
    for one, places in zip(batch, lists, strict=True):
        ids = [place.item_id for place in places]
        assert len(set(ids)) == len(ids) <= one.k
        assert not set(ids) & one.out.union(ids_of(one.history))
        assert not one.only or set(ids) <= set(one.only)
        for item_id in ids:
            number = int(item_id[1:])  # `unknown` would fail here: a catalogue that is there decides
            assert number % 4 != 3, "not available"
            assert not one.categories or f"c{number % 3}" in one.categories
            assert not cap or sum(int(other[1:]) % 3 == number % 3 for other in ids) <= cap
        for place in places:
            assert abs(sum(place.shares.values()) - 1) < 1e-9
            assert place.shares[place.lead] == max(place.shares.values())
            assert content or CONTENT not in place.features


@given(inputs(), st.lists(st.floats(0, 2, width=16), min_size=3, max_size=3), st.booleans())
def test_with_learned_weights_shares_sum_to_one(one: ListInput, weights: list[float], content: bool) -> None:
    banded = BandWeights((0,), (dict(zip(CONFIG.weights, weights, strict=True)),), "1")
    (places,) = rank_lists([one], INDEX, replace(CONFIG, learned=banded), content)
    for place in places:
        assert abs(sum(place.shares.values()) - 1) < 1e-9
        assert min(place.shares.values()) >= 0


@given(st.lists(inputs(), max_size=4), st.booleans())
def test_before_the_first_choice_the_learned_order_is_the_blends(batch: list[ListInput], content: bool) -> None:
    blend = list(CONFIG.weights.values())
    learner = Learner(np.array(blend), 1_000.0)
    rows = learner.weights(learner.start()).tolist()
    banded = BandWeights(BANDS, [dict(zip(CONFIG.weights, row, strict=True)) for row in rows], "0")
    learned = rank_lists(batch, INDEX, replace(CONFIG, learned=banded), content)
    assert learned == rank_lists(batch, INDEX, CONFIG, content)


def test_the_history_length_decides_which_weights_count() -> None:
    banded = BandWeights((0, 5), ({"popular": 1.0}, {"item_cf": 1.0}), "1")
    scores = np.array([[1, 0.5], [0.5, 1]], np.float32)
    for length, best in ((0, "i1"), (4, "i1"), (5, "i0"), (500, "i0")):
        one = ListInput(1, ["i0", "i1"], ["item_cf", "popular"], scores, np.array([-1, -1]), [], frozenset(), length)
        ((place,),) = rank_lists([one], INDEX, replace(CONFIG, learned=banded), content=False)
        assert place.item_id == best


@given(st.lists(inputs(), min_size=2, max_size=5))
def test_a_list_does_not_depend_on_its_batch(batch: list[ListInput]) -> None:
    together = rank_lists(batch, INDEX, CONFIG, content=False)
    alone = [rank_lists([one], INDEX, CONFIG, content=False)[0] for one in batch]
    assert [[p.item_id for p in places] for places in together] == [[p.item_id for p in places] for places in alone]


@given(st.lists(inputs(), min_size=2, max_size=5))
def test_with_content_it_does_so_in_the_last_digits_alone(batch: list[ListInput]) -> None:
    config = replace(CONFIG, diversity=0.0)  # which of two equal items comes first says what is varied after it
    together = rank_lists(batch, INDEX, config, content=True)
    for one, places in zip(batch, together, strict=True):
        (alone,) = rank_lists([one], INDEX, config, content=True)
        np.testing.assert_allclose([p.score for p in places], [p.score for p in alone], atol=1e-5)


@pytest.mark.parametrize(("out", "history"), [(frozenset({"i0"}), END), (frozenset(), f"{END}i0{END}")])
def test_content_alone_finds_the_nearest_items(out: frozenset[str], history: str) -> None:
    one = ListInput(3, [], ["item_cf", "popular"], NOTHING, NO_PLACES, ["i0"], out, history=history)
    (places,) = rank_lists([one], INDEX, replace(CONFIG, diversity=0.0), content=True)
    cosines = INDEX.vectors @ INDEX.vectors[0]
    allowed = [n for n in range(1, 24) if n % 4 != 3]
    best = sorted(allowed, key=lambda n: (-cosines[n], n))[:3]
    assert [cosines[int(place.item_id[1:])] for place in places] == [cosines[n] for n in best]
    assert {place.lead for place in places} == {CONTENT}


def test_the_search_is_told_from_the_history() -> None:
    query = HashEncoder(16).encode(["rug"])[0]
    one = ListInput(5, [], ["item_cf", "popular"], NOTHING, NO_PLACES, ["i0"], frozenset({"i0"}), query=query)
    (places,) = rank_lists([one], INDEX, CONFIG, content=True)
    history = INDEX.vectors[0]
    assert {place.searched for place in places} == {True, False}
    for place in places:
        vector = INDEX.vectors[int(place.item_id[1:])]
        assert place.searched == bool(query @ vector >= history @ vector)


def test_without_a_catalogue_candidates_stand_as_they_are() -> None:
    items = ["a", "b", "c", "a"]
    scores = np.array([[1, 3, 2, 1], [1, 0, 0, 1]], np.float32)
    one = ListInput(5, items, ["item_cf", "popular"], scores, np.array([0, -1, 0, 0]), ["x"], frozenset({"c"}))
    for config in (CONFIG, replace(CONFIG, category_cap=1)):
        (places,) = rank_lists([one], ItemIndex(), config, content=False)
        assert [place.item_id for place in places] == ["b", "a"]
        assert [place.because for place in places] == [-1, 0]
    (filtered,) = rank_lists([replace(one, categories=["c1"])], ItemIndex(), CONFIG, content=False)
    assert filtered == []


def test_features_are_what_the_blend_saw() -> None:
    scores = np.array([[4, 2], [1, 4]], np.float32)
    one = ListInput(
        2, ["i0", "i1"], ["item_cf", "popular"], scores, np.array([-1, -1]), [], frozenset(), history_length=7
    )
    (places,) = rank_lists([one], INDEX, replace(CONFIG, diversity=0.0), content=False)
    assert places[0].features == {"item_cf": 1.0, "popular": 0.25, "history_length": 7.0}
    assert places[1].features == {"item_cf": 0.5, "popular": 1.0, "history_length": 7.0}
    np.testing.assert_allclose([place.score for place in places], [1.025, 0.6], rtol=1e-6)


def test_a_pause_changes_learned_weights_too() -> None:
    banded = BandWeights((0,), ({"item_cf": 1.0, "popular": 0.5},), "1")
    config = replace(CONFIG, learned=banded, after_pause={"popular": 4.0})
    one = ListInput(1, ["i0"], ["item_cf", "popular"], np.ones((2, 1), np.float32), np.array([-1]), [], frozenset())
    for after_pause, score in ((False, 1.5), (True, 3.0)):
        ((place,),) = rank_lists([replace(one, after_pause=after_pause)], INDEX, config, content=False)
        assert place.score == score
