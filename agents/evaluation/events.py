"""Events of an evaluation, in the order of time."""

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from agents.errors import RecordError, SetupError
from agents.intake import missing_field
from agents.records import Event, check_id, encode_json, read_event

SEED = 17
NOT_TAKEN = frozenset({"impression", "dislike", "search"})
"""Events that put no item into a history."""


@dataclass(frozen=True, slots=True)
class EvaluationEvent:
    """One event, and when it happened."""

    event: Event
    at_ms: int
    basket: str = ""
    """Events of one user and basket happened together: lists change only after all of them."""

    @property
    def user_id(self) -> str:
        """Whose event it is."""
        return self.event.user_id

    @property
    def taken(self) -> str | None:
        """The item that the user took; None: none."""
        return None if self.event.event_type in NOT_TAKEN else self.event.item_id

    def record(self) -> tuple[bytes, bytes]:
        """Key and value for the topic `events`."""
        return self.event.user_id.encode(), encode_json(self.event)


def from_rows(rows: Iterable[Mapping[str, Any]]) -> list[EvaluationEvent]:
    """Rows with the fields of an event, `timestamp` included, and perhaps `basket`; without a type: rate or purchase.

    Raises `SetupError` for a row that a worker would refuse.
    """
    return [_event(number, row) for number, row in enumerate(rows, 1)]


def _event(number: int, row: Mapping[str, Any]) -> EvaluationEvent:
    try:
        made = Event(
            user_id=_text(row["user_id"]),
            event_type=row.get("event_type") or ("purchase" if row.get("rating") is None else "rate"),
            item_id=None if row.get("item_id") is None else _text(row["item_id"]),
            timestamp=_number(row["timestamp"]),
            rating=None if row.get("rating") is None else _number(row["rating"]),
            query=row.get("query"),
            event_id=None if row.get("event_id") is None else _text(row["event_id"]),
        )
        event = read_event(encode_json(made))  # as strict as a worker
        check_id(event.user_id, "user_id")
        if event.item_id is not None:
            check_id(event.item_id, "item_id")
        if (lacking := missing_field(event)) is not None:
            raise KeyError(lacking)
        at_ms = round((event.timestamp or 0.0) * 1000)
    except KeyError as exc:
        raise SetupError(
            f"row {number}: {exc} is missing; an evaluation needs user_id, item_id, timestamp; of a search the query, "
            "of a rate the rating"
        ) from exc
    except (ValueError, TypeError, OverflowError, RecordError) as exc:
        raise SetupError(f"row {number}: {exc}") from exc
    return EvaluationEvent(event, at_ms, str(row.get("basket") or ""))


def _text(value: object) -> str:
    if value is None:
        raise ValueError("an id is null")
    return str(value)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a number")
    return number


def in_time_order(events: Sequence[EvaluationEvent]) -> list[EvaluationEvent]:
    """Sorted by time, a basket by its first event; what is of one moment is drawn with a fixed seed.

    The order of a file says nothing: often it is by item.
    """
    first: dict[tuple[str, str], int] = {}
    for event in events:
        if event.basket:
            place = (event.user_id, event.basket)
            first[place] = min(event.at_ms, first.get(place, event.at_ms))
    drawn = list(events)
    random.Random(SEED).shuffle(drawn)

    def key(event: EvaluationEvent) -> tuple[int, str, str]:
        if not event.basket:
            return event.at_ms, "", ""
        return first[event.user_id, event.basket], event.user_id, event.basket

    return sorted(drawn, key=key)


def units(events: Iterable[EvaluationEvent]) -> Iterator[list[EvaluationEvent]]:
    """What happened at once: single events, and events of one basket that follow each other."""
    for (_, basket), run in groupby(events, lambda event: (event.user_id, event.basket)):
        if basket:
            yield list(run)
        else:
            yield from ([event] for event in run)
