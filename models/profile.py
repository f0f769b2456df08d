"""The profile of a user: history, interests, what is blocked; and how events change it.

Everything here is a function of the events of one user in log order; it depends on no other user and on no batch.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.features import Features
from models.history import History, drop_oldest, ids_of, newest_of

Ints = NDArray[np.int64]

STRENGTH_STEPS = 1_000
_STRENGTH_BITS = 20
_RATED = 1 << _STRENGTH_BITS
_TIME_SHIFT = _STRENGTH_BITS + 1
_LOW = (1 << _TIME_SHIFT) - 1
MAX_STRENGTH = ((1 << _STRENGTH_BITS) - 1) / STRENGTH_STEPS
SEARCHES_KEPT = 20
BLOCKED_KEPT = 1_000
"""Newest disliked items kept, as many as a request may exclude: without a limit a row would outgrow a message."""
LONGEST_WORD = 200
"""Characters kept of a word of a search, as many as a declared interest may have."""
LONGEST_SEGMENT = 200
"""Characters of a segment: every item row repeats the names of the segments that touched the item."""
MANY_EVENTS = 6
"""From so many events of a user at once a history is changed as a dictionary."""
NO_CONTACT = 0
"""Of an item that is not in the history."""
DECLARED_WEIGHT = 0.3
"""A declared interest weighs like one that the last four or so events were about."""


Finite = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A number, neither infinite nor NaN."""


class ListInFlight(msgspec.Struct, array_like=True, gc=False):
    """A list that was sent and whose outcomes are still awaited."""

    recommendation_id: str
    items: list[str]
    features: Features
    sent_ms: int
    """Kafka time of the list, ms since 1970."""
    event_count: int
    """The user's count of events when the list came."""
    touched: list[int] = []
    """What was told already: `place · 4 + kind`, kinds as `models.outcomes` numbers them."""
    variant: str = "default"
    sources: list[str] = []
    """The leading source of each item; empty: not known."""

    def __post_init__(self) -> None:
        """Every item has features. Raises `ValueError`, which a codec makes its own error of."""
        if not self.features.fit(len(self.items)):
            raise ValueError("features of a list do not fit its items")


class EarlyAction(msgspec.Struct, array_like=True, gc=False):
    """An action on a list that has not arrived yet."""

    recommendation_id: str
    item_id: str
    event_type: str
    at_ms: int


class Profile(msgspec.Struct, array_like=True, gc=False):
    """All we hold about a user (P_u)."""

    contacts: History = msgspec.field(default_factory=History)
    """The history H_u: item → `pack_contact`, in the order of first contact. Only the oldest ever leaves, so sequence
    numbers are contiguous and a place in this order is as good as one."""
    events: int = 0
    """Events absorbed so far."""
    last_ms: int = 0
    interests: dict[str, Finite] = {}
    searches: list[str] = []
    attributes: dict[str, str | Finite | bool] = {}
    declared: list[str] = []
    """Interests the user stated."""
    blocked: list[str] = []
    """Items the user dislikes."""
    event_ids: list[str] = []
    lists: list[ListInFlight] = []
    early: list[EarlyAction] = []
    consent: bool = True


class EventLike(Protocol):
    """What a profile needs to know of an event."""

    @property
    def event_type(self) -> str: ...
    @property
    def item_id(self) -> str | None: ...
    @property
    def rating(self) -> float | None: ...
    @property
    def query(self) -> str | None: ...
    @property
    def event_id(self) -> str | None: ...


@dataclass(frozen=True)
class ProfileConfig:
    """Constants of the profile; see `agents.settings` for meanings."""

    strengths: Mapping[str, float]
    history_size: int = 500
    interest_alpha: float = 0.9
    interests_kept: int = 100
    event_ids_kept: int = 50
    pair_window: int = 50

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """Strengths in thousandths."""
        return {kind: round(strength * STRENGTH_STEPS) for kind, strength in self.strengths.items()}


@dataclass
class HistoryChange:
    """How one user's history changed: it was `before`, then `new` items came in this order, and of both together the
    first `left` are gone. If none is, `before` has at least as many of the newest as are in reach of the new ones."""

    before: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    left: int = 0
    touched: list[str] = field(default_factory=list)
    """The item of every event that counts for popularity."""
    rated: list[tuple[str, int, int]] = field(default_factory=list)
    """(item, what its ratings sum up to more than before, in thousandths, how many more there are)"""
    doubles: set[int] = field(default_factory=set)
    """Places of the events that were ignored because their event_id was seen before."""


def pack_contact(time_s: int, strength: float, *, rated: bool = False) -> int:
    """Last time (whole seconds), strength (thousandths, at most `MAX_STRENGTH`), and whether that is a rating."""
    return time_s << _TIME_SHIFT | (_RATED if rated else 0) | round(min(strength, MAX_STRENGTH) * STRENGTH_STEPS)


def unpack_contact(contact: int) -> tuple[int, float, bool]:
    """(last time in seconds, strength, is an explicit rating) of `pack_contact`."""
    return contact >> _TIME_SHIFT, (contact & (_RATED - 1)) / STRENGTH_STEPS, bool(contact & _RATED)


def absorb_events(
    profile: Profile,
    events: Sequence[tuple[EventLike, int]],
    config: ProfileConfig,
    words_of: Callable[[str], Sequence[str]] | None,
) -> HistoryChange:
    """Fold one user's events, with their times in ms, into the profile in place.

    `words_of(item)` gives the categories and tags of an item, empty when the catalogue does not know it; None: there is
    no catalogue.
    """
    change = HistoryChange()
    history, steps, limit = profile.contacts, config.steps, config.history_size
    contacts = history if len(events) < MANY_EVENTS else history.unpacked()
    stirred: list[tuple[float, Sequence[str]]] = []
    known_ids = set(profile.event_ids) if profile.event_ids else None
    joined = history.joined
    for place, (event, at_ms) in enumerate(events):
        if event.event_id is not None and config.event_ids_kept:
            if known_ids is None:
                known_ids = set(profile.event_ids)
            if event.event_id in known_ids:
                change.doubles.add(place)
                continue
            known_ids.add(event.event_id)
            profile.event_ids.append(event.event_id)
            while len(profile.event_ids) > config.event_ids_kept:  # at once: what is a double depends on no batch
                known_ids.discard(profile.event_ids.pop(0))
        kind, item = event.event_type, event.item_id
        profile.events += 1
        if at_ms > profile.last_ms:
            profile.last_ms = at_ms
        if kind == "search":
            stirred.append((1.0, _search(profile, event.query or "")))
            continue
        if item is None or kind == "impression":
            continue
        if kind == "dislike":
            if item not in profile.blocked:
                profile.blocked.append(item)
                del profile.blocked[:-BLOCKED_KEPT]
            continue
        change.touched.append(item)
        before = contacts.get(item)
        if before is None:
            change.new.append(item)
        contacts[item] = contact = _touched(before or NO_CONTACT, kind, event.rating, at_ms // 1000, steps)
        if kind == "rate":
            change.rated += [*ratings_of([(item, before or NO_CONTACT)], -1), *ratings_of([(item, contact)])]
        if before is None and len(contacts) > limit:
            change.rated += ratings_of([drop_oldest(contacts)], -1)
            change.left += 1
        if words_of is not None and (words := words_of(item)):
            stirred.append((steps.get(kind, STRENGTH_STEPS) / STRENGTH_STEPS, words))
    if isinstance(contacts, dict):
        history.pack(contacts)
    if change.new:
        change.before = ids_of(joined) if change.left else newest_of(joined, config.pair_window)
    if stirred:
        _stir_interests(profile, stirred, config)
    return change


def _touched(contact: int, kind: str, rating: float | None, time_s: int, steps: Mapping[str, int]) -> int:
    """The contact (0: none yet) after one more event: the strongest counts; a rating replaces it and stays."""
    last_s, low = contact >> _TIME_SHIFT, contact & _LOW
    if kind == "rate" and rating is not None:
        low = _RATED | round(rating * STRENGTH_STEPS)
    elif not low & _RATED:
        strength = steps.get(kind, STRENGTH_STEPS)
        if strength > low:
            low = strength
    return (max(last_s, time_s)) << _TIME_SHIFT | low


def ratings_of(contacts: Iterable[tuple[str, int]], sign: int = 1) -> list[tuple[str, int, int]]:
    """`HistoryChange.rated` where these contacts come (sign 1) or go (−1)."""
    return [(item, sign * (contact & (_RATED - 1)), sign) for item, contact in contacts if contact & _RATED]


def _search(profile: Profile, query: str) -> list[str]:
    """Keep the words of a search; return them."""
    words = [word[:LONGEST_WORD] for word in query.lower().split()]
    if words:
        profile.searches = [*profile.searches, " ".join(words)][-SEARCHES_KEPT:]
    return words


def _stir_interests(profile: Profile, stirred: list[tuple[float, Sequence[str]]], config: ProfileConfig) -> None:
    """I ← α·I + (1 − α)·b once for each event, in one pass; b holds the event type's weight for each word."""
    alpha, most = config.interest_alpha, max(config.strengths.values())
    faded = alpha ** len(stirred)
    interests = {word: weight * faded for word, weight in profile.interests.items()}
    for place, (strength, words) in enumerate(stirred):
        weight = (1 - alpha) * alpha ** (len(stirred) - 1 - place) * strength / most
        for word in words:
            interests[word] = interests.get(word, 0.0) + weight
    if len(interests) > config.interests_kept:
        strongest = sorted(interests.items(), key=lambda pair: (-pair[1], pair[0]))[: config.interests_kept]
        interests = dict(strongest)
    profile.interests = interests


def top_interests(profile: Profile, most: int) -> list[tuple[str, float]]:
    """The strongest interests, declared ones included, strongest first."""
    weights = dict(profile.interests)
    for word in profile.declared:
        weights[word] = weights.get(word, 0.0) + DECLARED_WEIGHT
    return sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


LETTERS = {"view": "l", "click": "l", "like": "k", "share": "s", "cart": "c", "purchase": "b"}
"""What is said of a contact by its strongest event."""


def letters_of_strengths(strengths: Mapping[str, float]) -> dict[int, str]:
    """Strength in thousandths → its letter of `LETTERS`; m where events of several letters are as strong."""
    found: dict[int, str] = {}
    for kind, letter in LETTERS.items():
        steps = round(strengths[kind] * STRENGTH_STEPS)
        found[steps] = letter if found.get(steps, letter) == letter else "m"
    return found


def actions(contacts: Ints, letters: Mapping[int, str]) -> str:
    """What the user did by each of these contacts, a letter each: r rated, l if it is `NO_CONTACT`, else that of its
    strength; ? where no event has that strength any more."""
    lows = (contacts & _LOW).tolist()
    return "".join(["r" if low & _RATED else letters.get(low, "?") if low else "l" for low in lows])


def times_of(contacts: Ints) -> Ints:
    """When each was last, in seconds."""
    return contacts >> _TIME_SHIFT


def strengths_of(contacts: Ints) -> NDArray[np.float32]:
    """The strength of each."""
    return ((contacts & (_RATED - 1)) / STRENGTH_STEPS).astype(np.float32)


def ratings_given(contacts: Ints) -> NDArray[np.float32] | None:
    """The rating of each, NaN where there is none; None: there is no rating at all."""
    rated = contacts & _RATED != 0
    return np.where(rated, strengths_of(contacts), np.float32(np.nan)) if rated.any() else None


def forget(profile: Profile) -> HistoryChange:
    """The change of co-counts when this profile goes: as if the user had never come."""
    contacts = profile.contacts
    return HistoryChange(before=contacts.ids(), left=len(contacts), rated=ratings_of(contacts.items(), -1))


def segment_of(profile: Profile, attributes: Sequence[str]) -> str:
    """The user's segment: the values of these declared attributes; empty if none is declared."""
    values = profile.attributes
    if not (attributes and values):
        return ""
    return "|".join(f"{name}={values[name]}" for name in attributes if name in values)[:LONGEST_SEGMENT]
