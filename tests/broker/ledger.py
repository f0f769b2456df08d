"""What must have come of every record that applications wrote, worked out from the log alone, record by record.

events, requests ──► forwarded (wrong partition) · bad (dead letter) · double (ignored) · absorbed ──► trigger or not
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from agents.partition import partition_of
from agents.runtime.reading import ReadRecord
from agents.settings import Settings
from agents.topics import Topic, build_topics
from tests.broker.reference import RATE, STRENGTHS, Reference
from tests.broker.support import read_all

CRASHING_ITEM = "this item ends the process"
"""An event on it is one that the worker of `tests.faults.raising_worker` cannot absorb."""


@dataclass
class Ledger:
    """Every record of `events` and `requests` under its place, `<topic>-<partition>-<offset>`, in one of four sorts."""

    reference: Reference
    absorbed: dict[str, ReadRecord] = field(default_factory=dict)
    bad: dict[str, tuple[str, ReadRecord]] = field(default_factory=dict)
    """With the reason."""
    doubles: dict[str, ReadRecord] = field(default_factory=dict)
    misplaced: dict[str, ReadRecord] = field(default_factory=dict)
    forwarded: Counter[str] = field(default_factory=Counter)
    """Copies of misplaced records, by the place of the original."""
    triggers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """What asked for a list → partition and key where the list belongs."""
    requests: dict[str, str | None] = field(default_factory=dict)
    """Those of the triggers that are requests → request_id."""
    events: int = 0
    """Absorbed events."""

    @classmethod
    def empty(cls, settings: Settings) -> "Ledger":
        """Nothing entered yet."""
        return cls(Reference(settings.history_size, settings.pair_window, settings.event_ids_kept))

    def everything(self) -> list[ReadRecord]:
        """Every record that is accounted for, once."""
        bad = [record for _, record in self.bad.values()]
        return [*self.absorbed.values(), *bad, *self.doubles.values(), *self.misplaced.values()]


def place_of(record: ReadRecord) -> str:
    """The name of a record, also that of a list which it triggered."""
    return f"{record.topic}-{record.partition}-{record.offset}"


def read_ledger(settings: Settings) -> Ledger:
    """The ledger of all that is in the log now."""
    topics = build_topics(settings)
    ledger = Ledger.empty(settings)
    for topic in (topics.events, topics.requests):
        for record in read_all(settings, topic.name):
            _enter(ledger, settings, topic, record, is_event=topic is topics.events)
    return ledger


def _enter(ledger: Ledger, settings: Settings, topic: Topic, record: ReadRecord, *, is_event: bool) -> None:
    place, key = place_of(record), record.key or b""
    origin = dict(record.headers).get("forwarded")
    if origin is not None:
        ledger.forwarded[f"{topic.name}-{origin.decode()}"] += 1
    if key and partition_of(key, topic.partitions) != record.partition:
        ledger.misplaced[place] = record
        return
    reason = _bad_reason(record)
    if reason is not None:
        ledger.bad[place] = (reason, record)
        return
    value = json.loads(record.value or b"")
    if not is_event:
        ledger.triggers[place] = (record.partition, key)
        ledger.requests[place] = value.get("request_id")
    elif "event_id" in value and ledger.reference.is_double(value["user_id"], value["event_id"]):
        ledger.doubles[place] = record
        return
    else:
        ledger.events += 1
        ledger.reference.absorb(value["user_id"], value["item_id"], value["event_type"], value.get("rating", 0.0))
        if value["event_type"] in settings.trigger_types:
            ledger.triggers[place] = (record.partition, key)
    ledger.absorbed[place] = record


def _bad_reason(record: ReadRecord) -> str | None:
    """Why a record is put aside; the few ways to be bad that the tests use."""
    if record.value is None:
        return "null_value"
    try:
        value: dict[str, Any] = json.loads(record.value)
    except ValueError:
        return "bad_json"
    if value.get("event_type", "view") not in {*STRENGTHS, RATE}:
        return "bad_field"
    if not record.key:
        return "missing_key"
    if value["user_id"].encode() != record.key:
        return "wrong_key"
    return "agent_failed" if value.get("item_id") == CRASHING_ITEM else None
