"""Events of an evaluation: from files of applications and from public data sets, in the order of time."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.errors import SetupError
from agents.records import Event, EventType, encode_json

SEED = 17


@dataclass(frozen=True, slots=True)
class EvaluationEvent:
    """One event of a user with an item."""

    user_id: str
    item_id: str
    event_type: EventType
    at_ms: int
    rating: float | None = None
    basket: str = ""
    """Events of one user and basket happened together: lists change only after it."""

    def record(self) -> tuple[bytes, bytes]:
        """Key and value for the topic `events`."""
        event = Event(
            user_id=self.user_id,
            item_id=self.item_id,
            event_type=self.event_type,
            timestamp=self.at_ms / 1000,
            rating=self.rating,
        )
        return self.user_id.encode(), encode_json(event)


def from_rows(rows: Iterable[Mapping[str, Any]]) -> list[EvaluationEvent]:
    """Rows with user_id, item_id, timestamp (seconds) and perhaps rating, event_type, basket.

    Raises `SetupError` for a row that lacks one of the first three.
    """
    events = []
    for number, row in enumerate(rows, 1):
        try:
            user, item, at_s = str(row["user_id"]), str(row["item_id"]), float(row["timestamp"])
            rating = float(row["rating"]) if row.get("rating") is not None else None
        except (KeyError, ValueError, TypeError) as exc:
            raise SetupError(
                f"row {number}: an evaluation needs user_id, item_id and timestamp (seconds since 1970): {exc!r}"
            ) from exc
        kind: EventType = row.get("event_type") or ("purchase" if rating is None else "rate")
        events.append(EvaluationEvent(user, item, kind, round(at_s * 1000), rating, str(row.get("basket") or "")))
    return events


def in_time_order(events: Sequence[EvaluationEvent]) -> list[EvaluationEvent]:
    """Sorted by the second; within a second and basket drawn with a fixed seed: the order of a file says nothing."""
    drawn = list(events)
    random.Random(SEED).shuffle(drawn)
    return sorted(drawn, key=lambda event: event.at_ms // 1000)
