"""Profiles that are kept decoded are what their rows say."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.knowledge import Knowledge
from agents.known_profiles import Known, KnownProfiles
from agents.packed import PROFILE
from agents.records import Event, Request, User
from agents.settings import Settings, read_settings
from agents.user_work import UserWork
from agents.users import Folded
from models.history import History
from models.profile import Profile, pack_contact
from tests.agents.test_folding import Folding, buy, events, record

SETTINGS = read_settings(data_dir=Path("nowhere"), history_size=5)
EVENTS = st.builds(buy, st.sampled_from("abcdefghij")) | st.builds(
    lambda item: Event("u", "dislike", item), st.sampled_from("abc")
)
DECLARED = st.sampled_from([None, User("u", consent=False), User("u", {"age": "30"}, ["tea"])])
WORK = st.tuples(st.lists(EVENTS, max_size=8), st.none() | st.tuples(DECLARED), st.booleans())


def profile(*items: str) -> tuple[bytes, Profile]:
    found = Profile(History.of({item: pack_contact(1, 1.0) for item in items}), events=len(items))
    return PROFILE.write(found), found


def folding(settings: Settings) -> tuple[Folding, Knowledge]:
    knowledge = Knowledge(settings)
    return Folding(settings, knowledge), knowledge


@given(st.lists(st.tuples(WORK, st.integers(0, 4)), max_size=12))
def test_folding_with_kept_profiles_is_folding_without(steps: list[tuple[tuple, int]]) -> None:  # type: ignore[type-arg]
    """Also where a row is not the one that was written last: the batch was not committed, or is another worker's."""
    keeping, knowledge = folding(SETTINGS)
    rows: list[bytes | None] = [None]
    for number, ((seen, declared, asks), back) in enumerate(steps):
        row = rows[max(0, len(rows) - 1 - back)] if back > 2 else rows[-1]
        at_ms = 1_000 * (number + 1)
        work = UserWork("u", events=events(*seen, first=20 * number, timestamp=at_ms))
        work.users = [] if declared is None else [(record(20 * number + 18, at_ms), declared[0])]
        work.requests = [(record(20 * number + 19, at_ms), Request("u", "r"))] if asks else []
        kept, fresh = keeping.fold(work, row), folding(SETTINGS)[0].fold(work, row)
        assert (kept.row, kept.changes, kept.outcomes) == (fresh.row, fresh.changes, fresh.outcomes)
        assert kept.profile == fresh.profile
        if kept.triggers or kept.requests:
            np.testing.assert_array_equal(numbers(kept), knowledge.items.numbers(kept.profile.contacts.ids()))
        rows.append(kept.row)


def numbers(folded: Folded) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    assert folded.numbers is not None
    return folded.numbers


def test_a_profile_is_used_for_its_own_row_alone() -> None:
    known = KnownProfiles()
    row, kept = profile("a")
    other, _ = profile("b")
    known.keep("u", row, Known(kept))
    assert known.take("u", other).profile == PROFILE.read(other)
    known.keep("u", row, Known(kept))
    assert known.take("u", row).profile is kept
    assert known.take("u", row).profile is not kept  # it was taken, and may have been changed since


def test_what_was_used_longest_ago_goes() -> None:
    row, kept = profile("a", "b", "c")
    known = KnownProfiles(most_bytes=2 * len(row))
    for user in ("u", "v", "w"):
        known.keep(user, row, Known(kept))
    assert known.take("u", row).profile is not kept
    assert known.take("v", row).profile is kept
    assert known.take("w", row).profile is kept


def test_nothing_is_kept_of_partitions_that_may_be_gone() -> None:
    row, kept = profile("a")
    known = KnownProfiles(most_bytes=len(row))
    known.keep("u", row, Known(kept))
    known.clear()
    assert known.take("u", row).profile is not kept
    known.keep("v", row, Known(kept))
    assert known.take("v", row).profile is kept  # there is room again
