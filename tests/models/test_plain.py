"""The plain replay and the checksums agree with each other and with what the workers compute in batches."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.records import Event
from agents.settings import Settings
from agents.users import profile_config
from models.checksums import Hashes, RowSums
from models.interning import Interner
from models.plain import PlainProfile, co_counts
from models.profile import HistoryChange, Profile, ProfileConfig, absorb_events, forget, unpack_contact
from models.shrinking import shrink

WINDOW = 3
ITEMS = st.sampled_from("abcdefgh")
HISTORIES = st.lists(st.lists(ITEMS, unique=True, max_size=8), max_size=6)
CONFIG = ProfileConfig(profile_config(Settings.model_construct()).strengths, history_size=4, event_ids_kept=3)
EVENTS = st.lists(
    st.builds(
        Event,
        st.just("u"),
        st.sampled_from(["view", "purchase", "rate", "dislike", "impression", "search"]),
        ITEMS,
        rating=st.sampled_from([1.0, 4.5]),
        query=st.sampled_from(["", "Red mug", "tea"]),
        event_id=st.one_of(st.none(), st.sampled_from("123456")),
    ),
    max_size=30,
)


class Rated:
    """What changes of histories say of ratings, summed up."""

    def __init__(self) -> None:
        self._changes: list[tuple[str, int, int]] = []

    def add(self, change: HistoryChange) -> None:
        self._changes += change.rated

    def sums(self) -> dict[str, tuple[int, int]]:
        """item → (sum, count), without those that have none."""
        found: dict[str, tuple[int, int]] = {}
        for item, more, count in self._changes:
            total, raters = found.get(item, (0, 0))
            found[item] = (total + more, raters + count)
        return {item: pair for item, pair in found.items() if pair != (0, 0)}


def words_of(item: str) -> Sequence[str]:
    return {"a": ("cups",), "b": ("cups", "red")}.get(item, ())


def numbered(items: Interner, histories: Sequence[Sequence[str]]) -> list[np.ndarray]:
    return [items.numbers(history) for history in histories]


@given(HISTORIES)
def test_checksums_are_those_of_the_co_counts(histories: list[list[str]]) -> None:
    items = Interner("abcdefgh")
    hashes = Hashes(items, 1)
    found, expected = RowSums(hashes), RowSums(hashes)
    found.add_histories(numbered(items, histories), WINDOW)
    pairs, users = co_counts(histories, WINDOW)
    for item, near in pairs.items():
        for other, (g, c) in near.items():
            row, col, g_, c_ = (np.array([n], np.int64) for n in (items.number(item), items.number(other), g, c))
            expected.add_counts(row, col, g_, c_)
    assert (found.checksums == expected.checksums).all()
    assert (found.sums == expected.sums).all()
    assert {item: found.users[items.number(item)] for item in users} == users


@given(HISTORIES)
def test_what_is_subtracted_leaves_nothing_and_only_the_wanted_rows_are_made(histories: list[list[str]]) -> None:
    items = Interner("abcdefgh")
    whole, part = RowSums(Hashes(items, 1)), RowSums(Hashes(items, 1))
    whole.add_histories(numbered(items, histories), WINDOW)
    part.add_histories(numbered(items, histories), WINDOW, only=np.array([2, 5]))
    assert (part.checksums[[2, 5]] == whole.checksums[[2, 5]]).all()
    assert (part.users[[2, 5]] == whole.users[[2, 5]]).all()
    part.checksums[[2, 5]] = 0
    assert not part.checksums.any()
    whole.add_histories(numbered(items, histories), WINDOW, sign=-1)
    assert not whole.checksums.any()
    assert not whole.users.any()
    assert not whole.sums.any()


def test_one_count_that_differs_changes_the_checksum() -> None:
    items = Interner("ab")
    sums = [RowSums(Hashes(items, seed)) for seed in (5, 5)]
    for one, c in zip(sums, (1024, 1023), strict=True):
        one.add_counts(np.array([0]), np.array([1]), np.array([1]), np.array([c]))
    assert sums[0].checksums[0] != sums[1].checksums[0]


@given(EVENTS, st.lists(st.integers(1, 9)))
def test_a_profile_made_in_batches_is_the_plain_one(events: list[Event], sizes: list[int]) -> None:
    timed = [(event, 1_000 * (7 * place % 11)) for place, event in enumerate(events)]
    profile, plain, rest, rated = Profile(), PlainProfile(), timed, Rated()
    for size in [*sizes, len(timed)]:
        batch, rest = rest[:size], rest[size:]
        rated.add(absorb_events(profile, batch, CONFIG, words_of))
    for event, at_ms in timed:
        plain.absorb(event, at_ms, CONFIG, words_of(event.item_id or ""))
    contacts = {item: unpack_contact(contact) for item, contact in profile.contacts.items()}
    expected = {item: (last, strength / 1_000, rated) for item, (last, strength, rated) in plain.contacts.items()}
    assert list(contacts.items()) == list(expected.items())
    assert profile.interests == pytest.approx(plain.interests)
    for name in ("events", "last_ms", "searches", "blocked", "event_ids"):
        assert getattr(profile, name) == getattr(plain, name)
    ratings = {item: (strength, 1) for item, (_, strength, is_rating) in plain.contacts.items() if is_rating}
    assert rated.sums() == ratings
    while (change := shrink(profile)) is not None:
        rated.add(change)
        left = {item: pair for item, pair in ratings.items() if item in profile.contacts}
        assert rated.sums() == left


@given(EVENTS)
def test_who_is_forgotten_takes_the_ratings_along(events: list[Event]) -> None:
    profile, rated = Profile(), Rated()
    rated.add(absorb_events(profile, [(event, 1_000) for event in events], CONFIG, None))
    rated.add(forget(profile))
    assert rated.sums() == {}
