"""What came of places for new items."""

import pytest

from models.exposure import after, counted
from models.pool import EXPLORE


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("clicked", ("a", True)), ("bought", ("a", True)), ("skipped", ("a", False)), ("shown", None), ("expired", None)],
)
def test_clicks_purchases_and_skips_count(kind: str, expected: tuple[str, bool] | None) -> None:
    assert counted(kind, EXPLORE, "a") == expected


def test_outcomes_of_other_places_do_not_count() -> None:
    assert counted("clicked", "item_cf", "a") is None
    assert counted("clicked", EXPLORE, None) is None


def test_counts_add_up_in_any_batches() -> None:
    found = [("a", True), ("b", False), ("a", False), ("a", True)]
    whole = after({}, found, 1_000, 10)
    assert whole == {"a": (2, 1), "b": (0, 1)} == after(after({}, found[:2], 1_000, 10), found[2:], 1_000, 10)
    assert list(whole) == list(after(after({}, found[:1], 1_000, 10), found[1:], 1_000, 10))


def test_of_too_many_the_ones_that_changed_long_ago_go() -> None:
    counts = after({}, [("a", True), ("b", True), ("a", False), ("c", True)], 22, 10)
    assert counts == {"a": (1, 1), "c": (1, 0)}
