"""Corners of folding: configured triggers, lists that close, consent and erasure one after the other."""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.knowledge import Knowledge
from agents.packed import PROFILE
from agents.records import Event, RankedItem, Recommendation, Request, User
from agents.runtime.batch import Record
from agents.settings import read_settings
from agents.user_work import UserWork
from agents.users import MOST_GROWTH, MOST_ROW_BYTES, Folded, UserFolder, features_of
from models.catalogue import Entry
from models.features import pack_features
from models.profile import BLOCKED_KEPT, ListInFlight, Profile, unpack_contact
from tests.agents.test_folding import Finished, Folding, buy, events, record, row, sent


def folder(data: Path, **options: object) -> Folding:
    settings = read_settings(data_dir=data, **options)
    return Folding(settings, Knowledge(settings))


def outcomes(folded: Folded) -> list[tuple[Any, ...]]:
    found = [json.loads(value) for value in folded.outcomes]
    return [(one["recommendation_id"], one["outcome"], one["item_id"]) for one in found]


def profile(folded: Finished) -> Profile:
    return PROFILE.read(row(folded))


@pytest.mark.parametrize(("types", "offsets"), [("view,share", [0, 2]), ("", []), ("search", [3])])
def test_the_setting_says_which_events_ask_for_a_list(types: str, offsets: list[int], tmp_path: Path) -> None:
    seen = [Event("u", "view", "a"), buy("b"), Event("u", "share", "c"), Event("u", "search", query="tea")]
    folded = folder(tmp_path, trigger_types=types).fold(UserWork("u", events=events(*seen)), None)
    assert [trigger.offset for trigger in folded.triggers] == offsets


def test_lists_close_after_so_many_events_of_their_user(tmp_path: Path) -> None:
    folding = folder(tmp_path, attribution_events=2)
    listed = folding.fold(UserWork("u", recommendations=[(record(0), sent("one", "a", "b"))]), None)
    first = folding.fold(UserWork("u", events=events(buy("a"))), row(listed))
    assert outcomes(first) == [("one", "bought", "a")]
    second = folding.fold(UserWork("u", events=events(buy("z"), first=1)), row(first))
    assert outcomes(second) == [("one", "skipped", "b")]
    assert profile(second).lists == []


def test_lists_close_after_so_much_time(tmp_path: Path) -> None:
    folding = folder(tmp_path, attribution_s=5)
    listed = folding.fold(UserWork("u", recommendations=[(record(0), sent("one", "a"))]), None)
    assert profile(listed).lists == [
        ListInFlight("one", ["a"], pack_features([[{"popular": 0.5}]])[0], 1_000, 0, sources=["none"])
    ]
    young = folding.fold(UserWork("u", events=events(buy("y"), timestamp=5_999)), row(listed))
    assert outcomes(young) == []
    old = folding.fold(UserWork("u", events=events(buy("z"), timestamp=6_000)), row(young))
    assert outcomes(old) == [("one", "skipped", "a")]


def test_a_list_of_the_same_batch_is_there_before_the_event_that_acts_on_it(tmp_path: Path) -> None:
    work = UserWork("u", recommendations=[(record(0), sent("one", "a"))], events=events(buy("a")))
    folded = folder(tmp_path).fold(work, None)
    assert outcomes(folded) == [("one", "bought", "a")]


def test_an_echoed_list_that_comes_later_gets_its_outcome(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    early = folding.fold(UserWork("u", events=events(Event("u", "click", "a", recommendation_id="one"))), None)
    assert outcomes(early) == []
    listed = folding.fold(UserWork("u", recommendations=[(record(0), sent("one", "a"))]), row(early))
    assert outcomes(listed) == [("one", "clicked", "a")]


def test_a_double_has_no_outcome_either(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    known = folding.fold(UserWork("u", events=events(buy("a", event_id="1"))), None)
    listed = folding.fold(UserWork("u", recommendations=[(record(0), sent("one", "a"))]), row(known))
    again = folding.fold(UserWork("u", events=events(buy("a", event_id="1"), first=5)), row(listed))
    assert (outcomes(again), again.triggers) == ([], [])
    assert again.row == listed.row


def test_the_variant_and_the_place_are_told(tmp_path: Path) -> None:
    ranked = [RankedItem("a", 1.0, ""), RankedItem("b", 0.5, "", features={"item_cf": 2.0})]
    listed = Recommendation("one", "u", ranked, ["one"], 1.0, variant="b")
    work = UserWork("u", recommendations=[(record(0), listed)], events=events(Event("u", "dislike", "b")))
    (value,) = folder(tmp_path).fold(work, None).outcomes
    outcome = json.loads(value)
    assert (outcome["variant"], outcome["position"], outcome["event_type"]) == ("b", 1, "dislike")
    assert (outcome["user_id"], outcome["features"], outcome["timestamp"]) == ("u", {"item_cf": 2.0}, 1.0)


def test_neither_lists_nor_events_are_kept_without_consent(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    withdrawn = folding.fold(UserWork("u", users=[(record(0), User("u", consent=False))]), None)
    work = UserWork("u", recommendations=[(record(0), sent("one", "a"))], events=events(buy("a")))
    folded = folding.fold(work, row(withdrawn))
    assert (folded.row, folded.outcomes, folded.changes) == (withdrawn.row, [], [])
    assert folded.ignored == {("events", "no_consent"): 2}
    assert len(folded.triggers) == 1


def test_a_list_sent_before_the_erasure_is_not_followed(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    old = folding.fold(UserWork("u", recommendations=[(record(0, 2_000), sent("one", "a"))]), None, 2_000)
    assert (old.row, old.ignored) == (None, {("events", "before_erasure"): 1})
    new = folding.fold(UserWork("u", recommendations=[(record(0, 2_001), sent("one", "a"))]), None, 2_000)
    assert len(profile(new).lists) == 1


def test_a_list_that_was_asked_for_before_the_erasure_is_not_followed(tmp_path: Path) -> None:
    late = sent("one", "a")
    late.asked_at = 1.999
    old = folder(tmp_path).fold(UserWork("u", recommendations=[(record(0, 3_000), late)]), None, 2_000)
    assert old.row is None


def test_what_happened_before_the_erasure_but_was_sent_later_does_not_count(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    offline = [(record(0, 9_000), buy("a"), 2_000), (record(1, 9_000), buy("b"), 2_001)]
    folded = folding.fold(UserWork("u", events=offline), None, 2_000)
    assert list(profile(folded).contacts) == ["b"]
    assert [trigger.offset for trigger in folded.triggers] == [1]


def test_a_request_from_before_the_erasure_gets_no_list(tmp_path: Path) -> None:
    asked = [(record(0, 2_000), Request("u")), (record(1, 2_001), Request("u"))]
    folded = folder(tmp_path).fold(UserWork("u", requests=asked), None, 2_000)
    assert [one.offset for one, _ in folded.requests] == [1]
    assert [one.offset for one, _ in folded.old_requests] == [0]


def test_an_erased_user_may_declare_again_and_the_erasure_is_remembered(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    declarations = [(record(0, 2_000), None), (record(1, 3_000), User("u", {"age": 30.0}))]
    again = folding.fold(UserWork("u", users=declarations), None)
    assert (profile(again), again.erased_ms) == (Profile(attributes={"age": 30.0}), 2_000)
    withdrawn = folding.fold(UserWork("u", users=[(record(2, 4_000), User("u", consent=False))]), row(again), 2_000)
    assert (profile(withdrawn), withdrawn.erased_ms) == (Profile(consent=False), 4_000)
    erased = folding.fold(UserWork("u", users=[(record(3, 5_000), None)]), row(withdrawn), 4_000)
    assert (erased.row, erased.erased_ms) == (None, 5_000)


def test_an_older_declaration_brings_neither_the_user_nor_the_consent_back(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    old = folding.fold(UserWork("u", users=[(record(0, 1_999), User("u", {"age": 30.0}))]), None, 2_000)
    assert (old.row, old.ignored) == (None, {("events", "before_erasure"): 1})
    withdrawn = folding.fold(UserWork("u", users=[(record(0, 1_999), User("u", consent=False))]), None, 2_000)
    assert (profile(withdrawn), withdrawn.erased_ms) == (Profile(consent=False), 2_000)


def test_consent_given_again_begins_anew_and_what_was_done_without_it_does_not_count(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    declarations: list[tuple[Record, User | None]] = [
        (record(0, 2_000), User("u", consent=False)),
        (record(1, 4_000), User("u")),
    ]
    seen = [*events(buy("a"), timestamp=1_000), *events(buy("b"), timestamp=3_000), *events(buy("c"), timestamp=4_000)]
    folded = folding.fold(UserWork("u", users=declarations, events=seen), None)
    assert list(profile(folded).contacts) == ["c"]
    assert folded.erased_ms == 3_999
    assert folded.ignored == {("events", "before_erasure"): 2}


def test_what_is_erased_and_what_comes_anew_in_one_batch_are_two_changes(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    first = folding.fold(UserWork("u", events=events(buy("a"), buy("b"))), None)
    work = UserWork("u", users=[(record(0, 2_000), None)], events=events(buy("b"), buy("c"), timestamp=3_000))
    forgotten, anew = folding.fold(work, row(first)).changes
    assert (list(forgotten.before), forgotten.new, forgotten.left) == (["a", "b"], [], 2)
    assert (list(anew.before), anew.new, anew.left) == ([], ["b", "c"], 0)


def test_the_catalogue_gives_the_words_of_interests(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path, interest_alpha=0.5, segment_attributes="age,land")
    knowledge = Knowledge(settings)
    knowledge.catalogue.put("a", Entry(("cups",), ("red", "cups")))
    work = UserWork("u", users=[(record(0), User("u", {"land": "fr", "age": "25-34"}))], events=events(buy("a")))
    folded = Folding(settings, knowledge).fold(work, None)
    assert profile(folded).interests == {"cups": 0.5, "red": 0.5}
    assert folded.segment == "age=25-34|land=fr"


def test_the_history_keeps_the_newest(tmp_path: Path) -> None:
    folding = folder(tmp_path, history_size=2, strength_purchase=7)
    folded = folding.fold(UserWork("u", events=events(buy("a"), buy("b"), buy("c"))), None)
    assert list(profile(folded).contacts) == ["b", "c"]
    assert folded.changes[0].left == 1
    assert unpack_contact(profile(folded).contacts["c"]) == (1, 7.0, False)


def test_a_profile_that_would_not_fit_a_message_gives_up_its_oldest_items(tmp_path: Path) -> None:
    folding, reach = folder(tmp_path, history_size=10_000), read_settings().pair_window
    before = folding.fold(UserWork("u", events=events(*(buy(f"{n:0250d}") for n in range(1_500)))), None)
    after = folding.fold(UserWork("u", events=events(*(buy(f"{n:0250d}") for n in range(1_500, 9_000)))), row(before))
    held = list(profile(after).contacts)
    assert len(row(after)) <= MOST_ROW_BYTES
    assert held == [f"{n:0250d}" for n in range(9_000 - len(held), 9_000)]
    assert len(held) > 1_500
    history: list[str] = []
    for change in [*before.changes, *after.changes]:
        assert change.before == (history if change.left else history[-reach:])
        history = [*history, *change.new][change.left :]
    assert history == held


def test_lists_that_a_row_has_no_room_for_are_not_followed_and_the_newest_is(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path, history_size=10_000, lists_in_flight=40)
    users = UserFolder(settings, Knowledge(settings))
    bought = events(*(buy(f"{n:0250d}") for n in range(1_000)))
    folded = users.fold(UserWork("u", events=bought), None)
    for name in range(30):
        items = [RankedItem(f"{name}-{n:0250d}", 1.0, "", sources={"popular": 1.0}) for n in range(100)]
        sent = Recommendation(str(name), "u", items, [], 1.0)
        assert list(users.note(folded, sent, features_of([sent])[0], 1_000)) == []
    finished = users.finish(folded)
    assert finished is not None
    assert len(finished) <= MOST_ROW_BYTES < len(finished) + MOST_GROWTH
    kept = PROFILE.read(finished)
    assert [flight.recommendation_id for flight in kept.lists] == [str(n) for n in range(30 - len(kept.lists), 30)]
    assert len(kept.contacts) == 1_000


def test_dislikes_are_bounded_and_the_newest_count(tmp_path: Path) -> None:
    seen = [Event("u", "dislike", str(number)) for number in range(BLOCKED_KEPT + 5)]
    folded = folder(tmp_path).fold(UserWork("u", events=events(*seen)), None)
    assert profile(folded).blocked == [str(number) for number in range(5, BLOCKED_KEPT + 5)]


def test_an_outcome_says_which_source_led_and_in_which_variant(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    items = [
        RankedItem("a", 1.0, "r", sources={"popular": 0.4, "item_cf": 0.6}),
        RankedItem("b", 0.5, "r", sources={"popular": 1.0}),
    ]
    sent_list = Recommendation("one", "u", items, ["one"], 1.0, variant="variety")
    listed = folding.fold(UserWork("u", recommendations=[(record(0), sent_list)]), None)
    acted = folding.fold(UserWork("u", events=events(buy("a"), buy("b"))), row(listed))
    found = [json.loads(value) for value in acted.outcomes]
    assert [(one["item_id"], one["source"], one["variant"]) for one in found] == [
        ("a", "item_cf", "variety"),
        ("b", "popular", "variety"),
    ]


def test_a_pinned_item_teaches_the_learner_nothing(tmp_path: Path) -> None:
    folding = folder(tmp_path)
    shares = {"a": {"rule": 1.0}, "b": {"popular": 1.0}, "c": {"item_cf": 0.6, "popular": 0.4}}
    items = [RankedItem(item, 1.0, "r", sources=sources) for item, sources in shares.items()]
    listed = folding.fold(
        UserWork("u", recommendations=[(record(0), Recommendation("one", "u", items, [], 1.0))]), None
    )
    acted = folding.fold(UserWork("u", events=events(buy("a"), buy("c"))), row(listed))
    pinned, chosen = (json.loads(value) for value in acted.outcomes)
    assert (pinned["outcome"], pinned["source"], pinned.get("choice")) == ("bought", "rule", None)
    assert chosen["choice"]["positions"] == [1, 2]
