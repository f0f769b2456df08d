"""Candidates in, recommendations out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace as replaced

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import RecordError
from agents.packed import CANDIDATES, Candidates, pack_floats, pack_ints
from agents.records import Filters
from agents.scoring.lists import (
    FIXED,
    NO_MODEL,
    NO_TEXTS,
    NO_TIME,
    NOT_EMBEDDED,
    ListMaker,
    check_candidates,
    rank_config,
)
from agents.settings import read_settings
from agents.variants import by_variant, with_own_weights
from models.bert.contract import Floats, HashEncoder
from models.history import END
from models.item_index import ItemIndex
from models.ranked_list import RankConfig
from models.ranking import BandWeights
from models.second_stage import BERT, Pair, SecondStage
from tests.agents.scorer_support import SOURCES, make_candidates

CONFIG = rank_config(read_settings())
TITLES = {"mug": "Red mug", "pot": "Tea pot", "cup": "Red cup", "lamp": "Desk lamp", "rug": "Wool rug"}
LEADING_WORDS = {
    "item_cf": ("because you ", "goes with "),
    "ridge": ("because you ", "goes with "),
    "popular": ("popular right now",),
    "segment": ("popular with people like you",),
    "interest": ("matches your interest",),
    "fresh": ("new in ",),
    "content": ("similar to what you looked at", "matches your search for "),
}


def make_index(encoder: HashEncoder | None = None) -> ItemIndex:
    index = ItemIndex(encoder.dimension if encoder else 0)
    for number, (item, title) in enumerate(TITLES.items()):
        index.put(item, title, [("kitchen", "home")[number % 2]], True, title)
    if encoder is not None:
        places, texts = index.waiting(len(TITLES))
        index.set_vectors(places, texts, encoder.encode(texts))
    return index


def test_a_list_repeats_what_asked_for_it() -> None:
    asked = make_candidates(scores={"mug": {"item_cf": 2.0}, "pot": {"popular": 1.0}})
    (made,) = ListMaker(make_index(), CONFIG, None).make([asked], 12.5)
    assert (made.recommendation_id, made.user_id) == ("requests-0-1", "u1")
    assert (made.triggers, made.request_id, made.created_at) == (["requests-0-1"], "r-requests-0-1", 12.5)
    assert [(item.item_id, item.title) for item in made.items] == [("mug", "Red mug"), ("pot", "Tea pot")]
    assert made.items[0].sources == {"item_cf": 1.0}
    assert made.items[0].features["item_cf"] == 1.0


def test_without_a_model_the_list_says_so_and_is_not_degraded() -> None:
    (made,) = ListMaker(make_index(), CONFIG, None).make([make_candidates()], 0.0)
    assert (made.model, made.degraded, made.degraded_reason) == (None, False, NO_MODEL)


def test_without_texts_the_list_says_so_and_is_not_degraded() -> None:
    (made,) = ListMaker(ItemIndex(64), CONFIG, HashEncoder()).make([make_candidates()], 0.0)
    assert (made.model, made.degraded, made.degraded_reason) == (None, False, NO_TEXTS)
    assert [item.item_id for item in made.items] == ["a", "b"]


def test_before_the_embeddings_are_there_the_list_is_degraded() -> None:
    index = ItemIndex(64)
    index.put("mug", "Red mug", [], True, "Red mug")
    asked = make_candidates(scores={"mug": {"item_cf": 1.0}})
    (made,) = ListMaker(index, CONFIG, HashEncoder()).make([asked], 0.0)
    assert (made.model, made.degraded, made.degraded_reason) == (None, True, NOT_EMBEDDED)
    assert "content" not in made.items[0].features


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("b", "because you bought Red mug"),
        ("r", "because you rated Red mug"),
        ("l", "because you looked at Red mug"),
        ("k", "because you liked Red mug"),
        ("m", "because you chose Red mug"),
        ("?", "goes with Red mug"),
        ("", "goes with Red mug"),
    ],
)
def test_the_reason_names_what_the_user_did(action: str, sentence: str) -> None:
    asked = make_candidates(scores={"pot": {"item_cf": 1.0}}, recent=["mug"], because={"pot": "mug"}, actions=action)
    (made,) = ListMaker(make_index(), CONFIG, None).make([asked], 0.0)
    assert (made.items[0].reason, made.items[0].because) == (sentence, "mug")


def test_an_interest_is_named_only_if_the_user_touched_it() -> None:
    maker = ListMaker(make_index(), CONFIG, None)
    scores = {"cup": {"interest": 1.0}}
    (touched,) = maker.make([make_candidates(scores=scores, recent=["mug"])], 0.0)
    (not_touched,) = maker.make([make_candidates(scores=scores, recent=["lamp"])], 0.0)
    assert touched.items[0].reason == "matches your interest in kitchen"
    assert not_touched.items[0].reason == "matches your interests"


def test_a_search_finds_items_by_their_words_and_says_so() -> None:
    encoder = HashEncoder()
    maker = ListMaker(make_index(encoder), CONFIG, encoder)
    (made,) = maker.make([make_candidates(scores={}, query="wool rug")], 0.0)
    assert made.items[0].item_id == "rug"
    assert made.items[0].reason == "matches your search for wool rug"


def test_a_repeated_search_is_encoded_once() -> None:
    encoder = HashEncoder()
    maker = ListMaker(make_index(encoder), CONFIG, encoder)
    before = encoder.texts
    for _ in range(3):
        maker.make([make_candidates(scores={}, query="wool rug"), make_candidates(scores={}, query="wool rug")], 0.0)
    assert encoder.texts == before + 1


def test_filters_context_and_seen_items_are_kept_out() -> None:
    encoder = HashEncoder()
    scores = {item: {"item_cf": 1.0} for item in TITLES}
    asked = make_candidates(
        scores=scores, context_item="mug", seen=["cup"], filters=Filters(categories=["kitchen"], exclude_items=["x"])
    )
    (made,) = ListMaker(make_index(encoder), CONFIG, encoder).make([asked], 0.0)
    assert [item.item_id for item in made.items] == ["rug"]


@st.composite
def drawn(draw: st.DrawFn) -> Candidates:
    scores = draw(
        st.dictionaries(
            st.sampled_from([*TITLES, "unknown"]),
            st.dictionaries(st.sampled_from(SOURCES), st.floats(0, 9, width=16)),
            max_size=6,
        )
    )
    recent = draw(st.lists(st.sampled_from(list(TITLES)), unique=True, max_size=3))
    because = dict.fromkeys(scores, recent[0]) if recent else None
    return make_candidates(
        scores=scores, recent=recent, because=because, k=draw(st.integers(1, 6)), actions="blr"[: len(recent)],
        query=draw(st.sampled_from(["", "red"])),
    )  # fmt: skip


@given(drawn(), st.booleans())
def test_the_reason_is_that_of_the_largest_share(asked: Candidates, with_model: bool) -> None:
    encoder = HashEncoder() if with_model else None
    config = replaced(CONFIG, weights={**CONFIG.weights, "item_cf": 0.2, "content": 0.2})
    (made,) = ListMaker(make_index(encoder), config, encoder).make([asked], 0.0)
    for item in made.items:
        assert sum(item.sources.values()) == pytest.approx(1)
        largest = max(item.sources.values())
        leaders = [source for source, share in item.sources.items() if share == largest]
        assert any(item.reason.startswith(LEADING_WORDS[source]) for source in leaders), (item.reason, item.sources)
        if "because you" in item.reason:
            assert item.because is not None
            assert TITLES[item.because] in item.reason


def test_a_record_of_before_histories_were_packed_has_all_in_seen() -> None:
    packed = CANDIDATES.write(make_candidates(seen=["cup"]))
    older = packed[:1] + msgspec.msgpack.encode(msgspec.msgpack.decode(packed[1:])[:-1])
    read = CANDIDATES.read(older)
    check_candidates(read)
    assert (read.seen, read.history) == (["cup"], END)


@pytest.mark.parametrize(
    "change",
    [
        {"scores": pack_floats(np.zeros(3, np.float32))},
        {"scores": b"123"},
        {"because": b""},
        {"because": b"\x07\x00"},
        {"because": pack_ints(np.array([0, 9]))},
        {"because": pack_ints(np.array([-2, 0]))},
        {"sources": [], "scores": b""},
        {"ratings": pack_floats(np.ones(1))},
        {"ratings": pack_floats(np.array([4.0, np.nan]))},
        {"ratings": b"\0"},
        {"k": 0},
        {"history": "i1"},
    ],
)
def test_arrays_that_do_not_fit_are_a_record_error(change: dict[str, object]) -> None:
    good = make_candidates()
    check_candidates(good)
    with pytest.raises(RecordError, match="bad_packed"):
        check_candidates(msgspec.structs.replace(good, **change))


def test_the_settings_reach_the_ranking() -> None:
    settings = read_settings(
        weight_content=0.7, diversity=0.3, category_cap=2, candidates_content=9, pause_popular=7.0, pause_ridge=3.0
    )
    weights = {**CONFIG.weights, "content": 0.7}
    assert rank_config(settings) == RankConfig(weights, 9, 0.3, 2, {"popular": 7.0, "ridge": 3.0})


def test_popularity_counts_more_after_a_pause() -> None:
    asked = make_candidates(scores={"mug": {"item_cf": 1.0, "popular": 1.0}, "pot": {"item_cf": 0.9, "popular": 4.0}})
    config = replaced(CONFIG, weights={"item_cf": 1.0, "popular": 0.1}, after_pause={"popular": 4.0})
    for after_pause, first in ((False, "mug"), (True, "pot")):
        asked = msgspec.structs.replace(asked, after_pause=after_pause)
        (made,) = ListMaker(make_index(), config, None).make([asked], 0.0)
        assert made.items[0].item_id == first


def test_lists_of_a_batch_are_ranked_as_their_variants_want() -> None:
    scores = {"mug": {"item_cf": 2.0, "popular": 1.0}, "pot": {"item_cf": 1.0, "popular": 9.0}}
    popular = rank_config(read_settings(weight_item_cf=0.0, weight_popular=1.0, diversity=0.0))
    maker = ListMaker(make_index(), CONFIG, None, {"popular": popular})
    names = ["default", "popular", "default", "unknown", "popular"]
    asked = [
        msgspec.structs.replace(make_candidates("u", str(number), scores), variant=name)
        for number, name in enumerate(names)
    ]
    made = maker.make(asked, 0.0)
    assert [one.recommendation_id for one in made] == ["0", "1", "2", "3", "4"]
    assert [one.variant for one in made] == ["default", "popular", "default", "default", "popular"]
    assert [one.items[0].item_id for one in made] == ["mug", "pot", "mug", "mug", "pot"]


def test_learned_weights_are_not_for_variants_with_weights_of_their_own_and_count_after_a_pause() -> None:
    scores = {"mug": {"item_cf": 1.0, "popular": 1.0}, "pot": {"item_cf": 0.6, "popular": 4.0}}
    varied = {"a": {"share": 0.1, "diversity": 0.0}, "b": {"share": 0.1, "weight_popular": 0.1}}
    settings = read_settings(variants=varied, diversity=0.0, weight_popular=0.1, pause_popular=9.0)
    maker = ListMaker(
        make_index(), rank_config(settings), None, {name: rank_config(one) for name, one in by_variant(settings)}
    )
    asked = [
        msgspec.structs.replace(make_candidates("u", name, scores), variant=name, after_pause=after_pause)
        for name in ("default", "a", "b")
        for after_pause in (False, True)
    ]

    def first() -> list[str]:
        return [one.items[0].item_id for one in maker.make(asked, 0.0)]

    assert first() == ["mug", "pot"] * 3
    maker.use(BandWeights((0,), ({"item_cf": 1.0, "popular": 0.8},), "7"), with_own_weights(settings))
    assert first() == ["pot", "pot", "pot", "pot", "mug", "pot"]
    assert [one.ranker for one in maker.make(asked[::2], 0.0)] == ["7", "7", FIXED]
    maker.use(BandWeights((0,), ({"item_cf": 1.0, "popular": 0.1},), "8"), with_own_weights(settings))
    assert first() == ["mug", "pot"] * 3
    maker.use(None)
    assert {one.ranker for one in maker.make(asked, 0.0)} == {FIXED}


class Reader:
    """Finds all items equally likely; each reading takes a second of its own clock."""

    version = "reader-1"

    def __init__(self) -> None:
        self.now, self.seen = 0.0, 0

    def clock(self) -> float:
        return self.now

    def chances(self, pairs: Sequence[Pair]) -> Floats:
        self.now += len(pairs)
        self.seen += len(pairs)
        return np.full(len(pairs), 0.5, np.float32)


READING = replaced(CONFIG, weights={**CONFIG.weights, BERT: 0.5})


def reading(seconds: float, variants: Mapping[str, RankConfig] | None = None) -> tuple[ListMaker, Reader]:
    """A maker whose second stage reads two candidates of each list, a second each, and knows that."""
    reader = Reader()
    second = SecondStage(reader, 2, reader.clock)
    second.warm_up(("Desk lamp", "Red mug"), 8)
    return ListMaker(make_index(), READING, None, variants, second=second, second_s=seconds), reader


def wanted(number: int, deadline_ms: int = 0, variant: str = "default") -> Candidates:
    scores = {"mug": {"item_cf": 2.0}, "pot": {"item_cf": 1.0}, "cup": {"item_cf": 0.5}}
    made = make_candidates(f"u{number}", f"r-{number}", scores, recent=["lamp"], deadline_ms=deadline_ms)
    return msgspec.structs.replace(made, variant=variant)


def test_what_the_second_stage_did_not_get_to_is_degraded_and_says_how_far_it_got() -> None:
    maker, _ = reading(seconds=5.0)
    made = maker.make([wanted(number) for number in range(4)], 0.0)
    told = [(one.degraded, one.degraded_reason, one.cross_model, one.cross_scored) for one in made]
    assert told[:2] == [(False, NO_MODEL, "reader-1", 2)] * 2
    assert told[3] == (True, NO_TIME, None, 0)
    assert [one.recent for one in made] == [["lamp"]] * 4


def test_nothing_is_read_in_a_backlog() -> None:
    maker, reader = reading(seconds=5.0)
    before = reader.seen
    made = maker.make([wanted(0)], 0.0, read=False)
    assert (made[0].cross_scored, made[0].degraded_reason, reader.seen) == (0, NO_TIME, before)


def test_the_first_deadline_of_a_batch_bounds_the_reading_of_all() -> None:
    maker, reader = reading(seconds=60.0)
    before = reader.now
    made = maker.make([wanted(number, 3_500 if number == 3 else 0) for number in range(6)], 0.0)
    assert reader.now - before <= 3.5
    assert made[3].cross_scored == 2, "what is due first is read first"


def test_variants_share_the_time_by_their_lists() -> None:
    maker, _ = reading(seconds=9.0, variants={"other": READING})
    made = maker.make([wanted(number, variant=("default", "other")[number % 2]) for number in range(8)], 0.0)
    read = [sum(one.cross_scored for one in made if one.variant == variant) for variant in ("default", "other")]
    assert min(read) >= 3
