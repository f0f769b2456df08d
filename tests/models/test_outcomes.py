"""Attribution of events to lists in flight.

sent ──► clicked ──► bought          one outcome of each kind for a place
  └────────────────────► closed      after n later events, t seconds, or too many newer lists: the rest is skipped
"""

from models.features import pack_features
from models.outcomes import ListConfig, act, arrive, choosable, close_old
from models.profile import EarlyAction, ListInFlight, Profile

CONFIG = ListConfig(kept=2, events=3, seconds=60)


def flight(name: str, *items: str, sent_ms: int = 0, events: int = 0) -> ListInFlight:
    return ListInFlight(name, list(items), pack_features([[{"popular": 1.0}] * len(items)])[0], sent_ms, events)


def click(item: str, name: str = "", event_type: str = "click") -> EarlyAction:
    return EarlyAction(name, item, event_type, 7)


def kinds(found: object) -> list[tuple[str, int, str]]:
    return [(one.flight.recommendation_id, one.place, one.kind) for one in found]  # type: ignore[attr-defined]


def test_an_item_is_matched_with_the_newest_list_that_holds_it() -> None:
    profile = Profile(lists=[flight("old", "a", "b"), flight("new", "c", "b")])
    assert kinds(act(profile, click("b"), CONFIG)) == [("new", 1, "clicked")]
    assert kinds(act(profile, click("a"), CONFIG)) == [("old", 0, "clicked")]
    assert kinds(act(profile, click("z"), CONFIG)) == []


def test_an_echoed_list_decides() -> None:
    profile = Profile(lists=[flight("old", "a"), flight("new", "a")])
    assert kinds(act(profile, click("a", "old"), CONFIG)) == [("old", 0, "clicked")]


def test_one_outcome_of_each_kind() -> None:
    profile = Profile(lists=[flight("one", "a")])
    seen = [*act(profile, click("a"), CONFIG), *act(profile, click("a"), CONFIG)]
    seen += act(profile, click("a", event_type="purchase"), CONFIG)
    seen += act(profile, click("a", event_type="impression"), CONFIG)
    assert [one.kind for one in seen] == ["clicked", "bought", "shown"]


def test_a_click_may_come_before_its_list() -> None:
    profile = Profile()
    assert kinds(act(profile, click("a", "late"), CONFIG)) == []
    assert kinds(arrive(profile, flight("late", "a", "b"), CONFIG)) == [("late", 0, "clicked")]
    assert profile.early == []


def test_a_list_that_comes_twice_is_followed_once() -> None:
    profile = Profile()
    list(arrive(profile, flight("one", "a"), CONFIG))
    list(arrive(profile, flight("one", "a"), CONFIG))
    assert len(profile.lists) == 1


def test_the_oldest_list_beyond_the_limit_is_closed_and_the_untouched_is_skipped() -> None:
    profile = Profile()
    list(arrive(profile, flight("one", "a", "b", "c"), CONFIG))
    list(act(profile, click("b"), CONFIG))
    list(act(profile, click("c", event_type="impression"), CONFIG))
    list(arrive(profile, flight("two"), CONFIG))
    assert kinds(arrive(profile, flight("three"), CONFIG)) == [("one", 0, "skipped"), ("one", 2, "skipped")]


def test_lists_close_after_events_or_time() -> None:
    profile = Profile(events=5, lists=[flight("by events", "a", events=2), flight("young", "b", events=3, sent_ms=10)])
    assert kinds(close_old(profile, 20, CONFIG)) == [("by events", 0, "skipped")]
    assert kinds(close_old(profile, 60_010, CONFIG)) == [("young", 0, "skipped")]
    assert profile.lists == []


def test_no_list_is_followed_when_none_is_to_be_kept() -> None:
    profile = Profile()
    assert kinds(arrive(profile, flight("one", "a"), ListConfig(kept=0))) == []
    assert kinds(act(profile, click("a", "one"), ListConfig(kept=0))) == []
    assert (profile.lists, profile.early) == ([], [])


def among(profile: Profile, *events: EarlyAction) -> list[list[int]]:
    """What each clicked or bought item was chosen among."""
    found = (one for event in events for one in act(profile, event, CONFIG))
    return [choosable(one.flight, one.place) for one in found if one.kind in {"clicked", "bought"}]


def test_what_is_beyond_the_limit_may_be_left_to_the_next_event() -> None:
    profile = Profile()
    for name in ("one", "two", "three"):
        assert kinds(arrive(profile, flight(name, "a"), CONFIG, more=1)) == []
    assert kinds(arrive(profile, flight("four", "a"), CONFIG, more=1)) == [("one", 0, "skipped")]
    assert kinds(close_old(profile, 10, CONFIG)) == [("two", 0, "skipped")]
    assert [one.recommendation_id for one in profile.lists] == ["three", "four"]


def test_an_item_is_chosen_among_what_was_not_chosen_before() -> None:
    profile = Profile(lists=[flight("one", "a", "b", "c", "d")])
    seen = among(profile, click("b"), click("d", event_type="dislike"), click("a"), click("c"))
    assert seen == [[0, 1, 2, 3], [0, 2], []], "of the last one left it says nothing that it is chosen"


def test_an_item_is_chosen_once() -> None:
    profile = Profile(lists=[flight("one", "a", "b")])
    assert among(profile, click("b"), click("b", event_type="purchase")) == [[0, 1], []]
    profile = Profile(lists=[flight("one", "a", "b")])
    assert among(profile, click("b", event_type="dislike"), click("b")) == [[]]


def test_what_was_not_shown_could_not_be_chosen() -> None:
    profile = Profile(lists=[flight("one", "a", "b", "c", "d")])
    shown = [click(item, event_type="impression") for item in ("a", "b")]
    assert among(profile, *shown, click("b"), click("d")) == [[0, 1], [0, 3]]


def test_what_a_rule_or_the_request_named_was_not_chosen_for_what_the_ranker_saw() -> None:
    one = flight("one", "a", "b", "c", "d", "e")
    one.sources = ["rule", "popular", "request", "item_cf", "none"]
    seen = among(Profile(lists=[one]), click("a"), click("c"), click("d"), click("b"))
    assert seen == [[], [], [1, 3, 4], [1, 4]]
