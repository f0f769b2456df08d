"""What a profile that is too large gives up."""

from models.features import Features
from models.history import History
from models.profile import ListInFlight, Profile
from models.shrinking import shrink


def listed(name: str, items: int) -> ListInFlight:
    return ListInFlight(name, [str(item) for item in range(items)], Features(), 1, 0)


def test_the_oldest_of_the_history_goes_first() -> None:
    profile = Profile(contacts=History.of({str(item): item for item in range(17)}), lists=[listed("one", 3)])
    change = shrink(profile)
    assert change is not None
    assert (len(change.before), change.new, change.left) == (17, [], 3)
    assert list(profile.contacts) == [str(item) for item in range(3, 17)]
    assert len(profile.lists) == 1


def test_lists_that_hold_more_than_the_history_go_before_it() -> None:
    profile = Profile(contacts=History.of({"a": 1, "b": 2}), lists=[listed("one", 3), listed("two", 1)])
    change = shrink(profile)
    assert change is not None
    assert (list(change.before), change.left) == (["a", "b"], 0)
    assert [flight.recommendation_id for flight in profile.lists] == ["two"]
    assert list(profile.contacts) == ["a", "b"]


def test_it_ends_when_nothing_is_left() -> None:
    profile = Profile(contacts=History.of({str(item): item for item in range(100)}), lists=[listed("one", 100)])
    left = 0
    while (change := shrink(profile)) is not None:
        left += change.left
    assert left == 100
    assert profile == Profile()
