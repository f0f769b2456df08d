"""Where to read on: committed offsets against what the rows stand for."""

import pytest
from faust.types import TP

from agents.errors import BrokerError, SetupError
from agents.runtime.following import log_bounds
from agents.runtime.offsets import Committed, SourceOffsets, State
from agents.runtime.seal import Absorbed, Seal, Tally
from agents.settings import read_settings

EVENTS, USERS = TP("events", 0), TP("users", 0)
IDS = {"events": "e", "users": "u"}
SETTINGS = read_settings(bootstrap_servers="127.0.0.1:1")


def judge(
    events: int | None,
    sealed: Seal | None,
    *,
    users: int | None = None,
    rows: bool = True,
    low: int = 0,
    accept: bool = False,
) -> dict[TP, int]:
    settings = SETTINGS.model_copy(update={"accept_lost_records": accept})
    offsets = SourceOffsets(settings, "profiles", ["events", "users"], "changelog")
    committed = {EVENTS: Committed(events, low, 100), USERS: Committed(users, 0, 0)}
    return offsets.starts(committed, {0: State(rows, sealed)}, IDS)


def seal(next_offset: int, topic_id: str = "e") -> Seal:
    return Seal(Tally(1, 1), {"events": Absorbed(next_offset, topic_id)})


def test_reading_goes_on_from_the_committed_offset() -> None:
    assert judge(40, seal(40)) == {EVENTS: 40, USERS: 0}
    assert judge(40, None) == {EVENTS: 40, USERS: 0}


def test_a_new_group_reads_from_the_start() -> None:
    assert judge(None, None, rows=False, low=7) == {EVENTS: 7, USERS: 0}


def test_offsets_that_are_gone_are_those_of_the_rows(caplog: pytest.LogCaptureFixture) -> None:
    assert judge(None, seal(40)) == {EVENTS: 40, USERS: 0}
    assert "offsets of group profiles are gone" in caplog.text


def test_rows_without_any_offsets_are_not_counted_again() -> None:
    with pytest.raises(SetupError, match="has rows, but group profiles has no offsets of events, users") as raised:
        judge(None, None)
    assert "--group profiles --topic events:0 --reset-offsets --to-offset N --execute" in str(raised.value)
    assert "Or start over from the sources" in str(raised.value)


def test_rows_of_one_source_do_not_ask_for_offsets_of_another() -> None:
    assert judge(None, None, users=0) == {EVENTS: 0, USERS: 0}


def test_a_topic_made_anew_is_read_from_the_start() -> None:
    assert judge(None, seal(40, "old"), low=3) == {EVENTS: 3, USERS: 0}


def test_offsets_that_were_set_back_are_named_with_the_right_one() -> None:
    for accept in (False, True):
        with pytest.raises(SetupError, match=r"records 30 to 39 are in the rows, and would count twice") as raised:
            judge(30, seal(40), accept=accept)
        assert "--to-offset 40" in str(raised.value)


def test_offsets_ahead_of_the_rows_are_named_and_may_be_accepted() -> None:
    with pytest.raises(SetupError, match=r"records 40 to 49 are committed, but not in the rows"):
        judge(50, seal(40))
    assert judge(50, seal(40), accept=True) == {EVENTS: 50, USERS: 0}


def test_offsets_of_the_rows_that_are_not_in_the_log_any_more_mean_lost_records() -> None:
    with pytest.raises(SetupError, match="records 40 to 59 were deleted before they were absorbed"):
        judge(None, seal(40), low=60)
    assert judge(None, seal(40), low=60, accept=True) == {EVENTS: 60, USERS: 0}


def test_a_broker_that_does_not_answer_is_a_broker_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.runtime.following.ANSWER_TIMEOUT_S", 0.1)
    monkeypatch.setattr("agents.runtime.offsets.STABLE_TIMEOUT_S", 0.1)
    with pytest.raises(BrokerError, match="cannot read the ends of changelog"):
        log_bounds(SETTINGS, "group", "changelog", [0])
    with pytest.raises(BrokerError, match="cannot read the committed offsets"):
        SourceOffsets(SETTINGS, "group", ["events"], "changelog").committed([0])
