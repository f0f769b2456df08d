"""Hits of the lists that users really had: the live analogue of HR@k in `models.evaluation.NextEvents`.

An event counts if its item is new to a user with a history, and a list was sent to the user before it, by record time,
at most `window_ms` earlier. It is compared with the newest such list, and is a hit if the item is among the first k of
that list. Unlike there, the user need not have had a new list for each event, and what a user takes may be what the
list showed: compare variants with each other, not a rate with that of an offline evaluation.

Events come in log order. Lists may come before or after the events that they are compared with, for they are read from
another topic: the newest events are kept with what they were booked on, and booked anew when a list comes that should
have been it. So counts depend on the records alone, as long as no more than `LISTS_KEPT` lists or `EVENTS_KEPT` events
of a user are read ahead of the other. A record's place (time, offset) orders lists of one millisecond.
"""

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Annotated

import msgspec

from models.user_sums import AT, COUNTERS, Counter

ALL = "all"
"""The slice of everything."""
LISTS_KEPT = 20
EVENTS_KEPT = 50
VARIANTS_KEPT = 10
"""Newest variants whose counts are kept for a user, beside those that kept events are booked on.

Sums over users keep what is dropped."""
BANDS = ("1", "2-3", "2-3", *["4-10"] * 7)
"""Of the first places; those after them are in `LAST_BAND`."""
LAST_BAND = "11+"
NO_CONTACT = frozenset({"impression", "search", "dislike"})
"""Events that put no item into the history."""
OUTCOMES: dict[str, Counter] = {"shown": "shown", "clicked": "clicked", "bought": "bought", "skipped": "skipped"}

Place = tuple[int, int]
"""Record time in ms, and offset."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Counts = dict[str, dict[str, list[Count]]]
"""Variant → slice → a number for each of `COUNTERS`."""


def item_hash(item_id: str) -> int:
    """An item as 64 bits: rows stay small whatever ids are like, and two of a user's items never meet."""
    return int.from_bytes(blake2b(item_id.encode(), digest_size=8).digest(), "little", signed=True)


class SentList(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The part of a list that events are compared with."""

    place: Place
    variant: str
    items: list[int]
    """Hashes of the first k items."""
    sources: list[str]
    """The source with the largest share of each."""
    name: int = 0
    """Hash of the list's id; 0: not known."""

    def __post_init__(self) -> None:
        """Every item has a source. Raises `ValueError`, which a codec makes its own error of."""
        if len(self.sources) != len(self.items):
            raise ValueError("sources of a list do not fit its items")


class Compared(msgspec.Struct, array_like=True, gc=False):
    """An event on a new item, and what it was booked on."""

    at_ms: int
    item: int
    list_place: Place = (-1, -1)
    """Of the list; (−1, −1): there is none yet."""
    variant: str = ""
    position: int = -1
    """Where the list had the item; −1: nowhere."""
    source: str = ""


class LiveUser(msgspec.Struct, array_like=True, gc=False):
    """What is kept of a user."""

    history: list[int] = []
    """Hashes of distinct items, in the order of first contact."""
    lists: list[SentList] = []
    events: list[Compared] = []
    counts: Counts = {}
    consent: bool = True
    experiment: str = ""
    """In which the lists were sent and things were counted."""
    earlier: list[int] = []
    """Hashes of the ids of the newest lists of earlier experiments: what happens to them does not count in this one."""

    def __post_init__(self) -> None:
        """Every slice has each counter. Raises `ValueError`, which a codec makes its own error of."""
        if any(len(counts) != len(COUNTERS) for by_slice in self.counts.values() for counts in by_slice.values()):
            raise ValueError("counts of a slice are too few or too many")


@dataclass(frozen=True)
class LiveConfig:
    """Constants of the comparison."""

    k: int = 10
    window_ms: int = 86_400_000
    history_size: int = 500


def band(position: int) -> str:
    """The band of a place in a list, from 0."""
    return BANDS[position] if 0 <= position < len(BANDS) else LAST_BAND


def slices(source: str, position: int) -> tuple[str, ...]:
    """The slices that a place of a list belongs to."""
    return (ALL, f"source:{source}", f"place:{band(position)}")


def arrive(
    user: LiveUser,
    place: Place,
    variant: str,
    items: Sequence[str],
    sources: Sequence[str],
    config: LiveConfig,
    list_id: str = "",
) -> None:
    """A list was sent to the user, `sources` with the leading source of each item."""
    _count(user, variant, (ALL,), "lists")
    for name, places in Tally(chain(*map(slices, sources, range(len(sources))))).items():
        _count(user, variant, (name,), "places", places)
    hashes, hashed = list(map(item_hash, items[: config.k])), item_hash(list_id) if list_id else 0
    sent = SentList(place, variant, hashes, list(sources[: config.k]), hashed)
    for event in user.events:
        if event.list_place < place and _before(sent, event, config):
            _book(user, event, -1)
            _compare(event, sent)
            _book(user, event, 1)
    user.lists = sorted([*user.lists, sent], key=lambda one: one.place)[-LISTS_KEPT:]


def act(user: LiveUser, item_id: str, at_ms: int, config: LiveConfig) -> None:
    """The user's next event that makes contact with an item."""
    item = item_hash(item_id)
    if item in user.history:
        return
    if user.history:
        event = Compared(at_ms, item)
        sent = next((one for one in reversed(user.lists) if _before(one, event, config)), None)
        if sent is not None:
            _compare(event, sent)
            _book(user, event, 1)
        user.events = [*user.events, event][-EVENTS_KEPT:]
    user.history = [*user.history, item][-config.history_size :]


def note_outcome(user: LiveUser, variant: str, outcome: str, source: str, position: int, list_id: str = "") -> None:
    """What happened to a place of a list; nothing counts of one that is known to be of an earlier experiment."""
    if user.earlier and item_hash(list_id) in user.earlier:
        return
    if (counter := OUTCOMES.get(outcome)) is not None:
        _count(user, variant, slices(source, position), counter)


def flat_counts(user: LiveUser) -> dict[tuple[str, str], tuple[int, ...]]:
    """(variant, slice) → the user's counts. A slice has the events of the whole, which its hits are a share of."""
    events = AT["events"]
    return {
        (variant, name): (*counts[:events], of_all[events], *counts[events + 1 :])
        for variant, by_slice in user.counts.items()
        for of_all in (by_slice.get(ALL, _NOTHING),)
        for name, counts in by_slice.items()
    }


_NOTHING = [0] * len(COUNTERS)


def begin(user: LiveUser, experiment: str) -> None:
    """Count anew in another experiment: its lists are not those that were sent in the last one."""
    if user.experiment != experiment:
        user.earlier = [*user.earlier, *(sent.name for sent in user.lists if sent.name)][-LISTS_KEPT:]
        user.experiment, user.lists, user.events, user.counts = experiment, [], [], {}


def drop_old_variants(user: LiveUser) -> None:
    """Let go of counts of variants of long ago, but not of those that a late list may take a kept event off."""
    booked = {event.variant for event in user.events}
    for variant in [*user.counts][:-VARIANTS_KEPT]:
        if variant not in booked:
            del user.counts[variant]


def _before(sent: SentList, event: Compared, config: LiveConfig) -> bool:
    """Whether the list was there before the event, and not too long."""
    return 0 < event.at_ms - sent.place[0] <= config.window_ms


def _compare(event: Compared, sent: SentList) -> None:
    event.list_place, event.variant = sent.place, sent.variant
    event.position = sent.items.index(event.item) if event.item in sent.items else -1
    event.source = sent.sources[event.position] if event.position >= 0 else ""


def _book(user: LiveUser, event: Compared, sign: int) -> None:
    """Count an event that has a list (sign 1), or take it off again (−1)."""
    if event.list_place[0] < 0:
        return
    _count(user, event.variant, (ALL,), "events", sign)
    if event.position >= 0:
        _count(user, event.variant, slices(event.source, event.position), "hits", sign)


def _count(user: LiveUser, variant: str, names: Sequence[str], counter: Counter, amount: int = 1) -> None:
    """Add to a counter. What comes to nothing is not kept, so that counts depend on no order."""
    by_slice = user.counts.setdefault(variant, {})
    for name in names:
        counts = by_slice.setdefault(name, [0] * len(COUNTERS))
        counts[AT[counter]] += amount
        if amount < 0 and not any(counts):
            del by_slice[name]
    if not by_slice:
        del user.counts[variant]
