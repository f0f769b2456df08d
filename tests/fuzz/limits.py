"""The documented limits of records, checked on what a decoder accepted. Written apart from the decoders on purpose."""

import math
import unicodedata
from collections.abc import Iterable

import numpy as np

from agents.packed import (
    Candidates,
    CoCounts,
    ExposureState,
    Moments,
    Neighbours,
    RowBody,
    RowHead,
    unpack_floats,
    unpack_ints,
)
from agents.records import Event, Filters, Item, Outcome, Recommendation, Request, Rule, User
from agents.rules import to_shop_rule
from models.live_hits import LiveUser, flat_counts
from models.profile import Profile
from models.user_sums import COUNTERS, UPPER

TYPES = {"view", "click", "like", "cart", "purchase", "rate", "dislike", "search", "share", "impression"}
YEAR_3000_S = 32_503_680_000
NOW_MS = 1_700_000_000_000
"""Kafka time of every record here."""
DAY_MS = 86_400_000


def good_id(value: str) -> None:
    """An id: 1 to 256 bytes of UTF-8, no control characters."""
    assert 1 <= len(value.encode()) <= 256
    assert not any(unicodedata.category(letter) == "Cc" for letter in value)


def words(values: Iterable[str], most: int = 100) -> None:
    """At most `most` words of 1 to 200 characters."""
    listed = list(values)
    assert len(listed) <= most
    assert all(1 <= len(word) <= 200 for word in listed)


def finite(*values: float) -> None:
    """Numbers, neither infinite nor NaN."""
    assert all(math.isfinite(value) for value in values)


def event(record: Event) -> None:
    """Topic `events`."""
    good_id(record.user_id)
    assert record.event_type in TYPES
    if record.item_id is not None:
        good_id(record.item_id)
    else:
        assert record.event_type == "search"
        assert record.query
    if record.event_type == "rate":
        assert record.rating is not None
    assert record.rating is None or 0 <= record.rating <= 100
    assert record.query is None or len(record.query) <= 1_000
    if record.timestamp is not None:
        assert 0 <= record.timestamp <= YEAR_3000_S
        assert record.timestamp * 1000 <= NOW_MS + DAY_MS + 1
    for name in (record.event_id, record.recommendation_id):
        assert name is None or len(name) <= 256


def item(record: Item) -> None:
    """Topic `items`."""
    good_id(record.item_id)
    assert len(record.title) <= 20_000
    assert len(record.description) <= 20_000
    words(record.categories)
    words(record.tags)
    if record.price is not None:
        finite(record.price)
        assert record.price >= 0
    assert record.added_at is None or 0 <= record.added_at <= YEAR_3000_S
    assert 0 < record.weight <= 1_000


def rule(record: Rule) -> None:
    """Topic `rules`."""
    good_id(record.name)
    words(record.categories)
    words(record.tags)
    assert len(record.items) <= 1_000
    assert record.kind == "repeat" or record.items or record.categories or record.tags or record.added_within_days
    meant = to_shop_rule(record)
    finite(meant.factor, meant.after_s)
    assert meant.factor > 0
    assert 0 <= meant.position < 100
    assert (record.most or 1) in range(1, 101)
    assert 0 <= meant.from_s < meant.until_s


def user(record: User) -> None:
    """Topic `users`."""
    good_id(record.user_id)
    words(record.attributes, 50)
    for value in record.attributes.values():
        if isinstance(value, str):
            assert len(value) <= 200
        else:
            finite(value)
    words(record.interests)


def filters(record: Filters) -> None:
    """Part of requests and candidates."""
    words(record.categories)
    words(record.exclude_categories)
    assert len(record.exclude_items) <= 1_000
    assert len(record.only_items) <= 1_000


def request(record: Request) -> None:
    """Topic `requests`."""
    good_id(record.user_id)
    assert record.request_id is None or len(record.request_id) <= 256
    assert 1 <= record.k <= 100
    assert record.deadline_ms is None or 1 <= record.deadline_ms <= 3_600_000
    assert record.context.query is None or len(record.context.query) <= 1_000
    filters(record.filters)


def recommendation(record: Recommendation) -> None:
    """Topic `recommendations`."""
    finite(record.created_at)
    for ranked in record.items:
        finite(ranked.score, *ranked.sources.values(), *ranked.features.values())


def outcome(record: Outcome) -> None:
    """Topic `outcomes`, as the learner reads it."""
    choice = record.choice
    if choice is not None:
        assert record.position in choice.positions
        assert len(set(choice.positions)) == len(choice.positions) <= 100
        assert all(len(values) == len(choice.positions) for values in choice.features.values())
        finite(*(value for values in choice.features.values() for value in values))


def profile(record: Profile) -> None:
    """Table `profiles`."""
    assert len(record.contacts) == len(record.contacts.ids()) == len(record.contacts.contacts())
    finite(*record.interests.values())
    finite(*(value for value in record.attributes.values() if not isinstance(value, str)))
    for flight in record.lists:
        finite(*(value for row in flight.features.of(range(len(flight.items))) for value in row.values()))


def paired(g: bytes, c: bytes, length: int) -> tuple[list[int], list[int]]:
    """One G and one C for each."""
    users, weighted = unpack_ints(g).tolist(), unpack_ints(c).tolist()
    assert len(users) == len(weighted) == length
    return users, weighted


def co_counts(record: CoCounts) -> None:
    """Topic `cooccurrence`."""
    items, rows = len(record.ids), unpack_ints(record.rows).tolist()
    cols, lengths = unpack_ints(record.cols).tolist(), unpack_ints(record.lengths).tolist()
    assert record.events >= 0
    assert all(0 <= place < items for place in [*rows, *cols])
    assert all(length >= 0 for length in lengths)
    assert sum(lengths) == len(cols)
    changed_g, changed_c = paired(record.g, record.c, len(cols))
    assert all(abs(value) <= 2**26 for value in changed_g), "G and C must fit one int64"
    assert all(abs(value) <= 2**36 for value in changed_c)
    users, popularity = unpack_ints(record.users).tolist(), unpack_ints(record.popularity).tolist()
    assert len(rows) == len(lengths) == len(users) == len(popularity)
    assert all(count >= 0 for count in popularity)
    for places, events in record.segments.values():
        where, how_many = unpack_ints(places).tolist(), unpack_ints(events).tolist()
        assert len(where) == len(how_many)
        assert all(0 <= place < len(rows) for place in where)
        assert all(count >= 0 for count in how_many)
    if record.ratings is not None:
        where, *numbers = (unpack_ints(packed).tolist() for packed in record.ratings)
        assert len(set(where)) == len(where) == len(numbers[0]) == len(numbers[1])
        assert all(0 <= place < len(rows) for place in where)


def exposure(record: ExposureState) -> None:
    """Topic `models`, key `exposure`."""
    clicks, skips = unpack_ints(record.clicks).tolist(), unpack_ints(record.skips).tolist()
    assert len(clicks) == len(skips) == len(record.ids)
    assert all(0 <= count <= 2**40 for count in [*clicks, *skips])


def row_head(record: RowHead) -> None:
    """Table `item_rows`, heads."""
    finite(record.popularity, record.clock, *(value for pair in record.segments.values() for value in pair))
    np.array([record.users, record.c_sum, record.events, record.published, record.rating_sum, record.raters], np.int64)


def row_body(record: RowBody) -> None:
    """Table `item_rows`, bodies."""
    steps = unpack_ints(record.cols).tolist()
    assert all(step >= 0 for step in steps[:1])
    assert all(step >= 1 for step in steps[1:])
    paired(record.g, record.c, len(steps))


def neighbours(record: Neighbours) -> None:
    """Topic `neighbours`."""
    weights = unpack_floats(record.weights).tolist()
    assert len(weights) == len(record.ids)
    finite(*weights, record.popularity, record.clock, *record.segments.values())
    paired(record.g, record.c, len(record.ids))
    np.array([record.users, record.c_sum, record.rating_sum, record.raters], np.int64)


def candidates(record: Candidates) -> None:
    """Topic `candidates`."""
    scores, because = unpack_floats(record.scores).tolist(), unpack_ints(record.because).tolist()
    assert len(scores) == len(record.sources) * len(record.items)
    assert len(because) == len(record.items)
    assert all(-1 <= place < len(record.recent) for place in because)
    assert 1 <= record.k <= 100
    finite(*scores)
    filters(record.filters)


def live_user(record: LiveUser) -> None:
    """Table `live`, users."""
    assert all(len(sent.items) == len(sent.sources) for sent in record.lists)
    counts = [found for by_slice in record.counts.values() for found in by_slice.values()]
    table = np.array(counts, np.int64).reshape(-1, len(COUNTERS))
    assert len(table) == len(counts)
    assert (table >= 0).all()
    flat_counts(record)


def moments(record: Moments) -> None:
    """Table `live`, sums."""
    assert len(unpack_ints(record.upper)) == len(UPPER[0])
