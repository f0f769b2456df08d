"""From records of the source topics to checked public records; what is wrong goes to the dead letters."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from agents.errors import RecordError
from agents.records import Event, Request, User, check_id, read_event, read_request, read_user
from agents.runtime.batch import Record
from agents.settings import Settings

MILLISECONDS_LIKELY = 1e11


class PutsAside(Protocol):
    """Where bad records go; a transaction is one."""

    def dead_letter(self, record: Record, error: RecordError) -> None:
        """Put a bad record aside, with its reason."""
        ...


class _ForUser(Protocol):
    user_id: str


R = TypeVar("R", bound=_ForUser)
MOST_CHECKED_IDS = 1_000_000
"""Ids remembered as checked; beyond it they are forgotten and checked again."""


class Intake:
    """Reads and checks the records of applications."""

    def __init__(self, settings: Settings) -> None:
        self._future_s = settings.event_future_s
        self._checked: set[str] = set()

    def events(self, records: Sequence[Record], transaction: PutsAside) -> Iterator[tuple[Record, Event, int]]:
        """(record, event, time in ms) of every good event."""
        checked = self._checked
        for record in records:
            try:
                event = read_event(record.value)
                if event.user_id.encode() != record.key:
                    raise _wrong_key(record)
                if event.user_id not in checked:
                    self._check(event.user_id, "user_id")
                item = event.item_id
                if item is not None and item not in checked:
                    self._check(item, "item_id")
                if (lacking := missing_field(event)) is not None:
                    raise _incomplete(event, lacking)
                at_ms = record.timestamp if event.timestamp is None else int(event.timestamp * 1000)
                if at_ms > record.timestamp + self._future_s * 1000:
                    raise _from_the_future(event.timestamp or 0.0, record.timestamp / 1000)
            except RecordError as exc:
                transaction.dead_letter(record, exc)
                continue
            yield record, event, at_ms

    def requests(self, records: Sequence[Record], transaction: PutsAside) -> Iterator[tuple[Record, Request]]:
        """Every good request."""
        return self._keyed(records, read_request, transaction)

    def users(self, records: Sequence[Record], transaction: PutsAside) -> Iterator[tuple[Record, User | None]]:
        """Every good declaration; None erases the user of the record's key."""
        for record in records:
            if record.value is None:
                try:
                    self._check((record.key or b"").decode(), "key")
                except (RecordError, UnicodeDecodeError) as exc:
                    error = exc if isinstance(exc, RecordError) else RecordError("bad_id", "the key is not UTF-8")
                    transaction.dead_letter(record, error)
                    continue
                yield record, None
            else:
                yield from self._keyed((record,), read_user, transaction)

    def _keyed(
        self, records: Sequence[Record], read: Callable[[bytes | None], R], transaction: PutsAside
    ) -> Iterator[tuple[Record, R]]:
        for record in records:
            try:
                decoded = read(record.value)
                if decoded.user_id.encode() != record.key:
                    raise _wrong_key(record)
                self._check(decoded.user_id, "user_id")
            except RecordError as exc:
                transaction.dead_letter(record, exc)
                continue
            yield record, decoded

    def _check(self, value: str, field: str) -> None:
        if value not in self._checked:
            if not value:
                raise RecordError("missing_key", f"{field} is empty: send the user_id as the record's key")
            check_id(value, field)
            if len(self._checked) >= MOST_CHECKED_IDS:
                self._checked.clear()
            self._checked.add(value)


def _wrong_key(record: Record) -> RecordError:
    if not record.key:
        return RecordError("missing_key", "the record has no key: send the user_id as the key")
    return RecordError("wrong_key", "the record's key differs from user_id: send the user_id as the key")


def missing_field(event: Event) -> str | None:
    """The field that an event of its type needs and does not have; None: it is complete."""
    kind = event.event_type
    if kind == "search":
        return None if event.query else "query"
    if event.item_id is None:
        return "item_id"
    return "rating" if kind == "rate" and event.rating is None else None


def _incomplete(event: Event, field: str) -> RecordError:
    article = "an" if field == "item_id" else "a"
    return RecordError("missing_field", f"an event of type {event.event_type} needs {article} {field}")


def _from_the_future(timestamp: float, record_s: float) -> RecordError:
    hint = "; it looks like milliseconds: send seconds" if timestamp > MILLISECONDS_LIKELY else ""
    return RecordError("bad_timestamp", f"the timestamp is {timestamp - record_s:.0f} s ahead of the record{hint}")
