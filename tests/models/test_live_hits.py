"""Hits of the newest list: known cases, and any records in any order against a plain replay.

list ──► event on a new item: hit or not        ◄── a list that comes late: the event is compared anew
"""

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation import NextEvents
from models.live_hits import (
    EVENTS_KEPT,
    LISTS_KEPT,
    NO_CONTACT,
    VARIANTS_KEPT,
    LiveConfig,
    LiveUser,
    act,
    arrive,
    band,
    begin,
    drop_old_variants,
    flat_counts,
    item_hash,
    note_outcome,
)
from models.user_sums import AT, COUNTERS
from tests.live_reference import Counts, UserLog, plain_counts

CONFIG = LiveConfig(k=3, window_ms=50, history_size=6)
ITEMS = "abcdefgh"
SOURCES = ("item_cf", "popular", "fresh")


def counted(user: LiveUser) -> Counts:
    """(variant, slice) → what is not zero."""
    return {
        (variant, name): Counter({what: count for what, count in zip(COUNTERS, counts, strict=True) if count})
        for variant, by_slice in user.counts.items()
        for name, counts in by_slice.items()
    }


def send(user: LiveUser, at_ms: int, items: str, variant: str = "default", offset: int = 0) -> None:
    arrive(user, (at_ms, offset), variant, list(items), ["item_cf"] * len(items), CONFIG)


def of_all(user: LiveUser, variant: str = "default") -> dict[str, int]:
    return dict(counted(user).get((variant, "all"), {}))


def test_an_event_on_a_new_item_is_compared_with_the_newest_list_before_it() -> None:
    user = LiveUser(history=[item_hash("z")])
    send(user, 10, "abc")
    send(user, 20, "def")
    act(user, "d", 21, CONFIG)
    act(user, "b", 22, CONFIG)
    assert of_all(user) == {"lists": 2, "places": 6, "events": 2, "hits": 1}
    assert counted(user)["default", "source:item_cf"] == {"places": 6, "hits": 1}
    assert counted(user)["default", "place:1"] == {"places": 2, "hits": 1}


@pytest.mark.parametrize(
    ("history", "item", "at_ms"),
    [("", "a", 20), ("a", "a", 20), ("z", "a", 10), ("z", "a", 9), ("z", "a", 61)],
    ids=["no history", "not new", "at the same time", "before the list", "too long after it"],
)
def test_what_does_not_count(history: str, item: str, at_ms: int) -> None:
    user = LiveUser(history=[item_hash(one) for one in history])
    send(user, 10, "abc")
    act(user, item, at_ms, CONFIG)
    assert "events" not in of_all(user)


def test_only_the_first_k_hit_and_an_empty_list_is_a_list() -> None:
    user = LiveUser(history=[item_hash("z")])
    send(user, 10, "abcd")
    act(user, "d", 11, CONFIG)
    send(user, 12, "")
    act(user, "a", 13, CONFIG)
    assert of_all(user) == {"lists": 2, "places": 4, "events": 2}


def test_a_list_that_comes_late_moves_the_event_to_its_variant() -> None:
    user = LiveUser(history=[item_hash("z")])
    send(user, 10, "abc", "old")
    act(user, "a", 20, CONFIG)
    assert of_all(user, "old")["hits"] == 1
    send(user, 15, "def", "new", offset=1)
    assert of_all(user, "old") == {"lists": 1, "places": 3}
    assert of_all(user, "new") == {"lists": 1, "places": 3, "events": 1}


def test_it_is_the_hit_rate_of_the_offline_evaluation_where_each_event_has_a_list() -> None:
    deal = random.Random(7)
    offline, users = NextEvents(k=3), {name: LiveUser() for name in "uvw"}
    config = LiveConfig(k=3, window_ms=50)
    for at_ms in range(0, 3_000, 10):
        name, item = deal.choice("uvw"), deal.choice(ITEMS) + deal.choice(ITEMS)
        shown = ["".join(pair) for pair in zip(deal.choices(ITEMS, k=5), deal.choices(ITEMS, k=5), strict=True)]
        arrive(users[name], (at_ms, at_ms), "default", shown, ["popular"] * 5, config)
        act(users[name], item, at_ms + 1, config)
        offline.see(name, item, shown)
    live = Counter[str]()
    for user in users.values():
        live.update(of_all(user))
    assert (live["hits"], live["events"]) == (offline.lists.hits, offline.lists.events)
    assert live["hits"] > 0


RECORDS = st.one_of(
    st.tuples(st.just("event"), st.integers(0, 120), st.sampled_from(ITEMS), st.just("purchase")),
    st.tuples(
        st.just("list"),
        st.integers(0, 120),
        st.sampled_from(["default", "other"]),
        st.lists(st.sampled_from(ITEMS), max_size=5, unique=True),
        st.lists(st.sampled_from(SOURCES), min_size=5, max_size=5),
    ),
    st.tuples(
        st.just("outcome"),
        st.sampled_from(["default", "other"]),
        st.sampled_from(["shown", "clicked", "bought", "skipped", "expired"]),
        st.sampled_from(SOURCES),
        st.integers(0, 20),
    ),
)


def play(records: Sequence[tuple[object, ...]]) -> tuple[LiveUser, UserLog]:
    """Records as they are read: events in the order they have, lists with their offsets, wherever they are."""
    user, log = LiveUser(), UserLog()
    for record in records:
        match record:
            case ("event", int(at_ms), str(item), str(kind)):
                act(user, item, at_ms, CONFIG)
                log.events.append((at_ms, item, kind))
            case ("list", int(at_ms), str(variant), list(items), list(sources), int(offset)):
                arrive(user, (at_ms, offset), variant, items, sources[: len(items)], CONFIG)
                log.lists.append(((at_ms, offset), variant, items, sources[: len(items)]))
            case ("outcome", str(variant), str(outcome), str(source), int(position)):
                note_outcome(user, variant, outcome, source, position)
                log.outcomes.append((variant, outcome, source, position))
            case _:
                raise AssertionError(record)
    return user, log


@given(st.lists(RECORDS, max_size=LISTS_KEPT), st.randoms(use_true_random=False))
def test_counts_equal_a_plain_replay_in_whatever_order_topics_are_read(
    drawn: list[tuple[object, ...]], deal: random.Random
) -> None:
    records = [(*record, offset) if record[0] == "list" else record for offset, record in enumerate(drawn)]
    user, log = play(records)
    plain = plain_counts(log, CONFIG.k, CONFIG.window_ms, CONFIG.history_size)
    assert counted(user) == plain
    topics: dict[object, list[tuple[object, ...]]] = {}
    for record in records:
        topics.setdefault(record[0], []).append(record)
    mixed = []  # each topic in its order, the topics shuffled into each other
    while any(topics.values()):
        mixed.append(deal.choice([waiting for waiting in topics.values() if waiting]).pop(0))
    assert counted(play(mixed)[0]) == plain


def test_a_slice_has_the_events_of_the_whole() -> None:
    user = LiveUser(history=[item_hash("z")])
    send(user, 10, "abc")
    act(user, "a", 20, CONFIG)
    act(user, "y", 21, CONFIG)
    flat = flat_counts(user)
    assert {name: counts[AT["events"]] for (_, name), counts in flat.items()} == dict.fromkeys(
        ["all", "source:item_cf", "place:1", "place:2-3"], 2
    )


def test_a_row_does_not_grow_without_end() -> None:
    user = LiveUser()
    for number in range(1_000):
        arrive(user, (number * 10, number), f"v{number // 10}", [f"i{number}"], ["popular"], CONFIG)
        act(user, f"i{number}", number * 10 + 1, CONFIG)
    drop_old_variants(user)
    assert (len(user.lists), len(user.events), len(user.history)) == (LISTS_KEPT, EVENTS_KEPT, CONFIG.history_size)
    assert [*user.counts] == [f"v{number}" for number in range(100 - VARIANTS_KEPT, 100)]


def test_a_late_list_takes_an_event_off_a_variant_of_long_ago() -> None:
    user = LiveUser(history=[item_hash("z")])
    send(user, 10, "abc", "oldest")
    act(user, "a", 20, CONFIG)
    for number in range(VARIANTS_KEPT):
        send(user, 30, "abc", f"v{number}", offset=number + 2)
    drop_old_variants(user)
    send(user, 15, "def", "late", offset=1)
    assert of_all(user, "oldest") == {"lists": 1, "places": 3}
    assert of_all(user, "late") == {"lists": 1, "places": 3, "events": 1}
    drop_old_variants(user)
    assert [*user.counts] == [*(f"v{number}" for number in range(1, VARIANTS_KEPT)), "late"]


def test_what_happens_to_a_list_of_an_earlier_experiment_does_not_count() -> None:
    user = LiveUser(experiment="1")
    for number in range(LISTS_KEPT + 1):
        arrive(user, (number, number), "default", ["a"], ["popular"], CONFIG, f"old{number}")
    begin(user, "2")
    arrive(user, (100, 100), "default", ["a"], ["popular"], CONFIG, "new")
    for name in (*(f"old{number}" for number in range(1, LISTS_KEPT + 1)), "new"):
        note_outcome(user, "default", "clicked", "popular", 0, name)
    assert of_all(user) == {"lists": 1, "places": 1, "clicked": 1}
    begin(user, "3")
    assert (len(user.earlier), user.earlier[-1], user.counts) == (LISTS_KEPT, item_hash("new"), {})


def test_bands_and_types() -> None:
    assert [band(position) for position in (0, 1, 2, 3, 9, 10, 99)] == ["1", "2-3", "2-3", "4-10", "4-10", "11+", "11+"]
    assert {"view", "click", "like", "cart", "purchase", "rate", "share"}.isdisjoint(NO_CONTACT)
