"""How events change a profile."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.history import History
from models.profile import (
    MAX_STRENGTH,
    NO_CONTACT,
    Profile,
    ProfileConfig,
    absorb_events,
    actions,
    forget,
    letters_of_strengths,
    pack_contact,
    segment_of,
    top_interests,
    unpack_contact,
)

CONFIG = ProfileConfig(strengths={"view": 1.0, "click": 2.0, "purchase": 5.0}, history_size=3, event_ids_kept=2)
WORDS = {"tea": ["kitchen"], "cup": ["kitchen", "white"]}


@dataclass
class Act:
    event_type: str
    item_id: str | None = None
    rating: float | None = None
    query: str | None = None
    event_id: str | None = None


def absorb(profile: Profile, *acts: Act, at_ms: int = 5_000, config: ProfileConfig = CONFIG) -> list[str]:
    change = absorb_events(profile, [(act, at_ms) for act in acts], config, lambda item: WORDS.get(item, ()))
    return change.new


def strength(profile: Profile, item: str) -> float:
    return unpack_contact(profile.contacts[item])[1]


def test_the_strongest_event_counts() -> None:
    profile = Profile()
    absorb(profile, Act("view", "tea"), Act("purchase", "tea"), Act("click", "tea"))
    assert strength(profile, "tea") == 5.0


def test_an_explicit_rating_replaces_the_strength_and_stays() -> None:
    profile = Profile()
    absorb(profile, Act("purchase", "tea"), Act("rate", "tea", rating=1.5), Act("purchase", "tea"))
    assert unpack_contact(profile.contacts["tea"]) == (5, 1.5, True)
    absorb(profile, Act("rate", "tea", rating=4))
    assert strength(profile, "tea") == 4


def test_history_keeps_the_order_of_first_contact_and_the_newest_items() -> None:
    profile = Profile()
    assert absorb(profile, Act("view", "a"), Act("view", "b"), Act("view", "a"), Act("view", "c")) == ["a", "b", "c"]
    assert list(profile.contacts) == ["a", "b", "c"]
    change = absorb_events(profile, [(Act("view", "d"), 1), (Act("view", "b"), 1)], CONFIG, None)
    assert (change.before, change.new, change.left) == (["a", "b", "c"], ["d"], 1)
    assert list(profile.contacts) == ["b", "c", "d"]


def test_last_contact_never_goes_back_in_time() -> None:
    profile = Profile()
    absorb(profile, Act("view", "tea"), at_ms=9_000)
    absorb(profile, Act("view", "tea"), at_ms=2_000)
    assert unpack_contact(profile.contacts["tea"])[0] == 9
    assert profile.last_ms == 9_000


def test_dislike_blocks_and_impressions_and_searches_touch_no_item() -> None:
    profile = Profile()
    new = absorb(
        profile, Act("dislike", "tea"), Act("dislike", "tea"), Act("impression", "cup"), Act("search", query="Red  mug")
    )
    assert new == []
    assert profile.blocked == ["tea"]
    assert not profile.contacts
    assert profile.searches == ["red mug"]
    assert set(profile.interests) == {"red", "mug"}


def test_an_event_id_is_absorbed_once_within_the_newest_ids() -> None:
    profile = Profile()
    first = absorb_events(
        profile, [(Act("view", "a", event_id="1"), 0), (Act("view", "b", event_id="1"), 0)], CONFIG, None
    )
    assert first.doubles == {1}
    again = absorb_events(profile, [(Act("view", "c", event_id="1"), 0)], CONFIG, None)
    assert again.doubles == {0}
    absorb(profile, Act("view", "a", event_id="2"), Act("view", "a", event_id="3"))
    assert profile.event_ids == ["2", "3"]
    assert absorb(profile, Act("view", "c", event_id="1")) == ["c"]


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(0, 12))
def test_what_is_a_double_does_not_depend_on_the_cut_into_batches(ids: list[int], cut: int) -> None:
    acts = [(Act("view", f"item {place}", event_id=str(number)), 0) for place, number in enumerate(ids)]
    whole, parts = Profile(), Profile()
    absorb_events(whole, acts, CONFIG, None)
    absorb_events(parts, acts[:cut], CONFIG, None)
    absorb_events(parts, acts[cut:], CONFIG, None)
    assert whole == parts


def test_interests_are_the_exponential_average() -> None:
    profile = Profile()
    absorb(profile, Act("purchase", "tea"), Act("view", "cup"))
    assert profile.interests == pytest.approx({"kitchen": 0.1 * 1.0 * 0.9 + 0.1 * 0.2, "white": 0.1 * 0.2})
    absorb(profile, Act("purchase", "unknown to the catalogue"))
    assert profile.interests["white"] == pytest.approx(0.02)


acts = st.lists(st.tuples(st.sampled_from(["view", "click", "purchase"]), st.sampled_from("abcdef")), max_size=30)


@given(acts, st.lists(st.integers(1, 7), min_size=1, max_size=30))
def test_the_cut_into_batches_does_not_matter(seen: list[tuple[str, str]], cuts: list[int]) -> None:
    whole, parts = Profile(), Profile()
    events = [Act(kind, item) for kind, item in seen]
    absorb(whole, *events)
    begin = 0
    for cut in [*cuts, len(events)]:
        absorb(parts, *events[begin : begin + cut])
        begin += cut
    assert list(parts.contacts.items()) == list(whole.contacts.items())
    assert parts.events == whole.events


@given(st.integers(0, 32_503_680_000), st.floats(0, MAX_STRENGTH), st.booleans())
def test_a_contact_packs_time_and_strength(time_s: int, value: float, rated: bool) -> None:
    got_time, got_strength, got_rated = unpack_contact(pack_contact(time_s, value, rated=rated))
    assert (got_time, got_rated) == (time_s, rated)
    assert got_strength == pytest.approx(value, abs=0.0005)


def test_declared_interests_count_and_forgetting_takes_the_whole_history() -> None:
    profile = Profile(
        interests={"tea": 0.2, "red": 0.4}, declared=["tea", "art"], attributes={"age": "25-34", "region": "uk"}
    )
    assert top_interests(profile, 2) == [("tea", pytest.approx(0.5)), ("red", 0.4)]
    assert segment_of(profile, ("age", "region", "none")) == "age=25-34|region=uk"
    absorb(profile, Act("view", "a"), Act("view", "b"))
    change = forget(profile)
    assert (change.before, change.new, change.left) == (["a", "b"], [], 2)


def test_what_the_user_did_is_told_by_the_strength_of_the_contact() -> None:
    strengths = {"view": 1.0, "click": 2.0, "like": 3.0, "share": 4.0, "cart": 4.0, "purchase": 5.0}
    letters = letters_of_strengths(strengths)
    kinds = {"view": "l", "click": "l", "like": "k", "share": "m", "cart": "m", "purchase": "b"}
    profile = Profile(History.of({kind: pack_contact(9, strength) for kind, strength in strengths.items()}))
    profile.contacts["rated"], profile.contacts["old"] = pack_contact(9, 2.0, rated=True), pack_contact(9, 2.5)
    assert actions(profile.contacts.contacts(), letters) == "".join(kinds.values()) + "r?"
    assert actions(np.array([NO_CONTACT]), letters) == "l"


def test_strengths_that_say_the_same_are_told_apart_where_they_differ_alone() -> None:
    strengths = {"view": 1.0, "click": 1.0, "like": 3.0, "share": 3.0, "cart": 3.0, "purchase": 5.0}
    assert letters_of_strengths(strengths) == {1_000: "l", 3_000: "m", 5_000: "b"}
