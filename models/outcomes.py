"""What happened to the lists a user was sent: matching events with lists in flight, and closing lists.

Time is record time in ms. A list is closed after `events` later events of its user or `seconds` of record time; what
was not touched by then counts as skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from models.pool import NAMED
from models.profile import EarlyAction, ListInFlight, Profile

Kind = Literal["shown", "clicked", "bought", "skipped"]

_KINDS: dict[str, Kind] = {"impression": "shown", "purchase": "bought", "dislike": "skipped"}
_PLACES: tuple[Kind, ...] = ("shown", "clicked", "bought", "skipped")
EARLY_KEPT = 10


@dataclass(frozen=True)
class ListConfig:
    """When lists are closed, and how many are followed."""

    kept: int = 5
    events: int = 20
    seconds: float = 86_400.0


class Attributed(NamedTuple):
    """One outcome: what happened to the item at `place` of a list."""

    flight: ListInFlight
    place: int
    kind: Kind
    event_type: str | None
    at_ms: int


def act(profile: Profile, event: EarlyAction, config: ListConfig) -> Iterator[Attributed]:
    """Match one event with the lists in flight, newest first; an echoed list id decides, else the item does.

    An action on a list that is not here yet is kept until the list arrives.
    """
    for flight in reversed(profile.lists):
        if event.recommendation_id:
            if flight.recommendation_id == event.recommendation_id:
                yield from _touch(flight, event)
                return
        elif event.item_id in flight.items:
            yield from _touch(flight, event)
            return
    if event.recommendation_id and config.kept:
        profile.early = [*profile.early, event][-EARLY_KEPT:]


def arrive(profile: Profile, flight: ListInFlight, config: ListConfig, more: int = 0) -> Iterator[Attributed]:
    """A list was sent to the user: follow it, apply what was done to it already, close the oldest beyond the limit.

    `more`: so many beyond it are left to `close_old`.
    """
    if not config.kept or any(known.recommendation_id == flight.recommendation_id for known in profile.lists):
        return
    profile.lists = [*profile.lists, flight]
    waiting = [event for event in profile.early if event.recommendation_id == flight.recommendation_id]
    if waiting:
        profile.early = [event for event in profile.early if event.recommendation_id != flight.recommendation_id]
        for event in waiting:
            yield from _touch(flight, event)
    while len(profile.lists) > config.kept + more:
        yield from _close(profile.lists.pop(0), flight.sent_ms)


def close_old(profile: Profile, now_ms: int, config: ListConfig) -> Iterator[Attributed]:
    """Close the lists whose events or time have passed, and the oldest beyond the limit."""
    kept = []
    for younger, flight in zip(reversed(range(len(profile.lists))), profile.lists, strict=True):
        old = (
            younger >= config.kept
            or profile.events - flight.event_count >= config.events
            or now_ms - flight.sent_ms >= config.seconds * 1000
        )
        if old:
            yield from _close(flight, now_ms)
        else:
            kept.append(flight)
    if len(kept) < len(profile.lists):
        profile.lists = kept


def _touch(flight: ListInFlight, event: EarlyAction) -> Iterator[Attributed]:
    """An outcome, unless this item of the list has the same one already."""
    if event.item_id not in flight.items:
        return
    place = flight.items.index(event.item_id)
    kind = _KINDS.get(event.event_type, "clicked")
    mark = place * len(_PLACES) + _PLACES.index(kind)
    if mark not in flight.touched:
        flight.touched = [*flight.touched, mark]
        yield Attributed(flight, place, kind, event.event_type, event.at_ms)


def choosable(flight: ListInFlight, place: int) -> list[int]:
    """Places of a list among which this one has just been clicked or bought; empty: there is nothing to learn from it.

    That is so if it is not the first time, alone, or in the list because a rule or the request named it. Others that
    were so named are left out, and what the user acted on earlier: it could not be chosen any more. Where the
    application says what it showed, nothing else could be chosen either.
    """
    named = {other for other, source in enumerate(flight.sources) if source in NAMED}
    acted = [mark // len(_PLACES) for mark in flight.touched if mark % len(_PLACES)]
    shown = [mark // len(_PLACES) for mark in flight.touched if not mark % len(_PLACES)]
    if acted.count(place) != 1 or place in named:
        return []
    left = {place, *(shown or range(len(flight.items)))} - {other for other in acted if other != place} - named
    return sorted(left) if len(left) > 1 else []


def _close(flight: ListInFlight, now_ms: int) -> Iterator[Attributed]:
    """Skipped: every item that was neither clicked, bought nor disliked."""
    acted = {mark // len(_PLACES) for mark in flight.touched if mark % len(_PLACES)}
    for place in range(len(flight.items)):
        if place not in acted:
            yield Attributed(flight, place, "skipped", None, now_ms)
