"""What one user's records do to the profile, and what follows from them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.knowledge import Knowledge
from agents.packed import PROFILE
from agents.records import Event, RankedItem, Recommendation, User
from agents.runtime.batch import Record
from agents.settings import Settings, read_settings
from agents.user_work import UserWork
from agents.users import Folded, UserFolder
from models.profile import Profile
from tests.agents.runtime.test_positions import Rec


def record(offset: int, timestamp: int = 1_000) -> Record:
    return Rec("events", 0, offset, timestamp)


def events(*seen: Event, first: int = 0, timestamp: int = 1_000) -> list[tuple[Record, Event, int]]:
    return [(record(first + number, timestamp), event, timestamp) for number, event in enumerate(seen)]


def buy(item: str, event_id: str | None = None) -> Event:
    return Event("u", "purchase", item, event_id=event_id)


@dataclass
class Finished(Folded):
    """What follows from one user's records, with the row."""

    row: bytes | None = None


class Folding:
    """A folder that finishes each user at once."""

    def __init__(self, settings: Settings, knowledge: Knowledge) -> None:
        self._folder = UserFolder(settings, knowledge)

    def fold(self, work: UserWork, row: bytes | None, erased_ms: int = 0) -> Finished:
        folded = self._folder.fold(work, row, erased_ms)
        return Finished(**vars(folded), row=self._folder.finish(folded))


@pytest.fixture
def folder(tmp_path: Path) -> Folding:
    settings = read_settings(data_dir=tmp_path, lists_in_flight=1)
    return Folding(settings, Knowledge(settings))


def row(folded: Finished) -> bytes:
    assert folded.row is not None
    return folded.row


def sent(name: str, *items: str) -> Recommendation:
    ranked = [RankedItem(item, 1.0, "", features={"popular": 0.5}) for item in items]
    return Recommendation(name, "u", ranked, [name], 1.0)


def test_only_events_of_triggering_types_ask_for_a_list(folder: Folding) -> None:
    work = UserWork("u", events=events(Event("u", "view", "a"), buy("b"), Event("u", "impression", "c")))
    folded = folder.fold(work, None)
    assert [trigger.offset for trigger in folded.triggers] == [1]
    assert list(PROFILE.read(row(folded)).contacts) == ["a", "b"]


def test_a_double_is_no_event(folder: Folding) -> None:
    work = UserWork("u", events=events(buy("a", event_id="1"), buy("b", event_id="1")))
    folded = folder.fold(work, None)
    assert [trigger.offset for trigger in folded.triggers] == [0]
    assert folder.fold(work, row(folded)).triggers == []


def test_erasure_takes_the_pairs_back_and_older_records_do_not_bring_the_user_back(folder: Folding) -> None:
    first = folder.fold(UserWork("u", events=events(buy("a"), buy("b"))), None)
    erased = folder.fold(UserWork("u", users=[(record(0, 2_000), None)]), row(first))
    (change,) = erased.changes
    assert (list(change.before), change.left) == (["a", "b"], 2)
    assert (erased.row, erased.erased, erased.erased_ms) == (None, True, 2_000)
    late = folder.fold(UserWork("u", events=events(buy("c"), timestamp=2_000)), None, erased.erased_ms)
    assert (late.row, late.triggers, late.erased) == (None, [], False)
    assert late.ignored == {("events", "before_erasure"): 1}
    new = folder.fold(UserWork("u", events=events(buy("c"), timestamp=2_001)), None, erased.erased_ms)
    assert list(PROFILE.read(row(new)).contacts) == ["c"]


def test_without_consent_nothing_is_kept_but_that_fact(folder: Folding) -> None:
    first = folder.fold(UserWork("u", events=events(buy("a"))), None)
    work = UserWork("u", users=[(record(0), User("u", consent=False))], events=events(buy("b")))
    folded = folder.fold(work, row(first))
    assert folded.changes[0].left == 1
    assert len(folded.changes) == 1
    assert PROFILE.read(row(folded)) == Profile(consent=False)
    assert len(folded.triggers) == 1  # a list of popular items is still owed
    back = folder.fold(UserWork("u", users=[(record(1), User("u", {"age": "25-34"}, ["tea"]))]), row(folded))
    assert PROFILE.read(row(back)) == Profile(attributes={"age": "25-34"}, declared=["tea"])


def test_what_a_list_led_to_is_told_with_the_features_that_the_ranker_saw(folder: Folding) -> None:
    listed = folder.fold(UserWork("u", recommendations=[(record(0), sent("one", "a", "b"))]), None)
    bought = folder.fold(UserWork("u", events=events(buy("b"))), row(listed))
    (outcome,) = [json.loads(value) for value in bought.outcomes]
    assert (outcome["outcome"], outcome["item_id"], outcome["position"]) == ("bought", "b", 1)
    assert outcome["features"] == {"popular": 0.5}
    assert outcome["choice"] == {"positions": [0, 1], "features": {"popular": [0.5, 0.5]}}
    closed = folder.fold(UserWork("u", recommendations=[(record(1), sent("two", "c"))]), row(bought))
    (outcome,) = [json.loads(value) for value in closed.outcomes]
    assert (outcome["recommendation_id"], outcome["outcome"], outcome["item_id"]) == ("one", "skipped", "a")
    assert outcome["choice"] is None


def test_a_user_of_whom_nothing_is_known_has_no_row(folder: Folding) -> None:
    assert folder.fold(UserWork("u"), None).row is None
