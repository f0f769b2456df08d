"""Rates and errors from sums over users equal those from the users themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.accuracy import NOT_IN_LIST, Accuracy, Estimate
from models.user_sums import AT, COUNTERS, SIZE, difference, interval, moments_of, rate, total, users_of


def counts(users: list[dict[str, int]]) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    return np.array([[user.get(name, 0) for name in COUNTERS] for user in users], np.int64).reshape(-1, len(COUNTERS))


USERS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: {"events": max(pair), "hits": min(pair)}),
    max_size=30,
)


@given(USERS)
def test_a_rate_and_its_error_are_those_of_the_offline_accuracy(users: list[dict[str, int]]) -> None:
    plain = Accuracy()
    for number, user in enumerate(users):
        for event in range(user["events"]):
            plain.add(f"u{number}", 0 if event < user["hits"] else NOT_IN_LIST)
    moments = moments_of(counts(users))
    expected, found = plain.hit_rate(10), rate(moments, moments, "hits", "events")
    assert found.value == pytest.approx(expected.value, nan_ok=True)
    assert found.error == pytest.approx(expected.error, abs=1e-9, nan_ok=True)
    assert total(moments, "hits") == sum(user["hits"] for user in users)
    assert users_of(moments) == sum(user["events"] > 0 for user in users)


@given(st.lists(st.tuples(*[st.integers(0, 5)] * len(COUNTERS)), min_size=1, max_size=20), st.data())
def test_sums_change_by_differences_and_are_of_no_order(users: list[tuple[int, ...]], data: st.DataObject) -> None:
    before = np.array(users, np.int64)
    after = before.copy()
    place = data.draw(st.integers(0, len(users) - 1))
    after[place] = data.draw(st.tuples(*[st.integers(0, 5)] * len(COUNTERS)))
    changed = moments_of(before) + moments_of(after[[place]]) - moments_of(before[[place]])
    assert np.array_equal(changed, moments_of(after[::-1]))
    assert np.array_equal(moments_of(before) - moments_of(before), np.zeros((SIZE, SIZE)))


def test_a_slice_s_share_of_all_events_has_the_error_over_all_users() -> None:
    """Hits by one source; users without any have no row in the slice."""
    events, hits = [4, 5, 6, 1], [2, 0, 3, 0]
    whole = moments_of(counts([{"events": n} for n in events]))
    part = moments_of(counts([{"events": n, "hits": x} for n, x in zip(events, hits, strict=True) if x]))
    found = rate(part, whole, "hits", "events")
    value = 5 / 16
    residuals = [x - value * n for n, x in zip(events, hits, strict=True)]
    assert found.value == pytest.approx(value)
    assert found.error == pytest.approx(math.sqrt(4 / 3 * sum(r * r for r in residuals)) / 16)


def test_users_without_a_base_are_no_draws() -> None:
    some = moments_of(counts([{"places": 10, "clicked": 1}, {"places": 10, "clicked": 3}]))
    more = moments_of(counts([{"places": 10, "clicked": 1}, {"places": 10, "clicked": 3}, {"events": 9}]))
    assert rate(some, some, "clicked", "places") == rate(more, more, "clicked", "places")
    assert (users_of(some), users_of(more)) == (2, 3)


def test_nothing_is_known_of_nobody_and_no_error_of_one() -> None:
    nobody = moments_of(counts([]))
    assert math.isnan(rate(nobody, nobody, "hits", "events").value)
    one = moments_of(counts([{"events": 4, "hits": 1}]))
    found = rate(one, one, "hits", "events")
    assert found.value == 0.25
    assert math.isnan(found.error)
    assert not difference(found, Estimate(0.9, 0.01)).excludes_zero


def test_an_interval_reaches_two_errors_and_of_a_difference_both_count() -> None:
    around = interval(Estimate(0.5, 0.1))
    assert (around.low, around.high) == pytest.approx((0.304, 0.696), abs=1e-4)
    far, near = (
        difference(Estimate(0.5, 0.03), Estimate(0.41, 0.04)),
        difference(Estimate(0.5, 0.003), Estimate(0.4, 0.004)),
    )
    assert (far.value, far.high - far.value) == pytest.approx((0.09, 0.05 * 1.96), abs=1e-4)
    assert not far.excludes_zero
    assert near.excludes_zero
    assert difference(Estimate(0.4, 0.004), Estimate(0.5, 0.003)).excludes_zero


def test_intervals_hold_what_is_true_nineteen_times_of_twenty() -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(1_000):
        events = random.integers(1, 20, 200)
        hits = random.binomial(events, random.beta(2, 8, 200))  # users differ
        table = np.zeros((200, len(COUNTERS)), np.int64)
        table[:, AT["events"]], table[:, AT["hits"]] = events, hits
        moments = moments_of(table)
        found = interval(rate(moments, moments, "hits", "events"))
        held += found.low <= 0.2 <= found.high
    assert 920 <= held <= 975
