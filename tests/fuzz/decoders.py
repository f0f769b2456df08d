"""The decoders, each with valid records to start from and what must hold of an accepted one."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import numpy as np
from faust.types import TP

from agents.checks import read_co_counts, read_neighbours, read_row_body
from agents.errors import RecordError
from agents.intake import Intake
from agents.packed import (
    CANDIDATES,
    CO_COUNTS,
    NEIGHBOURS,
    PROFILE,
    ROW_BODY,
    ROW_HEAD,
    Candidates,
    CoCounts,
    Neighbours,
    PackedCodec,
    RowBody,
    RowHead,
    pack_floats,
    pack_ints,
)
from agents.records import (
    Context,
    Event,
    Filters,
    Item,
    RankedItem,
    Recommendation,
    Request,
    User,
    encode_json,
    read_catalogue,
    read_event,
    read_recommendation,
    read_request,
    read_user,
)
from agents.runtime.batch import Batch
from agents.runtime.dead_letters import dead_letter
from agents.runtime.metrics import Metrics
from agents.runtime.transaction import Transaction
from agents.scoring.lists import check_candidates
from agents.settings import Settings
from agents.topics import build_topics
from agents.user_work import group_by_user
from models.profile import EarlyAction, ListInFlight, Profile
from tests.agents.runtime.test_positions import Rec
from tests.fuzz import limits

SETTINGS = Settings()
TOPICS = build_topics(SETTINGS)
MOST_BROKER_BYTES = 1_048_000


@dataclass(frozen=True)
class Decoder:
    """`take` returns whether it accepted the input; what else it raises is a finding."""

    name: str
    seeds: Sequence[bytes]
    packed: bool
    take: Callable[[bytes], bool]


def ints(*values: int) -> bytes:
    return pack_ints(np.array(values, np.int64))


def floats(*values: float) -> bytes:
    return pack_floats(np.array(values))


class _Producer:
    """Stands for the producer of a transaction: keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]] = []

    def begin_transaction(self) -> None:
        """Nothing to do."""

    def produce(self, topic: str, value: bytes | None, key: bytes | None, _: int, **options: Any) -> None:
        assert topic == TOPICS.dead_letters.name
        self.sent.append((key, value, options["headers"]))


_INTAKE = Intake(SETTINGS)
_METRICS = Metrics()
_ONE_PARTITION = build_topics(SETTINGS.model_copy(update={"user_partitions": 1}))
"""No record is misplaced."""


def _key(value: bytes, field: str = "user_id") -> bytes:
    """The key that an application would give: the id, if there is one to be seen."""
    try:
        return str(json.loads(value)[field]).encode()
    except (ValueError, KeyError, TypeError, UnicodeError, RecursionError):
        return b"u"


def taken_in(topic: str, read: Callable[[bytes], Any], check: Callable[[Any], None], value: bytes) -> bool:
    """A record of an application on its whole way in: accepted, or one dead letter that a broker takes."""
    producer: Any = _Producer()
    transaction = Transaction(producer, None, (TOPICS.dead_letters.name, 4), _METRICS, limits.NOW_MS)
    record = Rec(topic, 0, 7, limits.NOW_MS, _key(value), value)
    work = group_by_user(Batch({TP(topic, 0): [record]}), _ONE_PARTITION, _INTAKE, transaction)
    found = [entry for users in work.values() for user in users.values() for entry in _entries(user)]
    if producer.sent:
        assert not found, "refused and accepted"
        ((key, letter, headers),) = producer.sent
        size = len(key or b"") + len(letter or b"") + sum(len(name) + len(text) for name, text in headers)
        assert size <= MOST_BROKER_BYTES
        return False
    (accepted,) = found
    check(accepted)
    assert read(encode_json(accepted)) == accepted
    return True


def _entries(user: Any) -> list[Any]:
    """The records of one user's work."""
    return [entry[1] for kind in (user.users, user.recommendations, user.events, user.requests) for entry in kind]


def decoded(
    read: Callable[[bytes], Any], write: Callable[[Any], bytes], check: Callable[[Any], None], value: bytes
) -> bool:
    """A record that is read, or refused with a reason that fits a dead letter."""
    try:
        record = read(value)
    except RecordError as exc:
        dead_letter(Rec("candidates", 0, 7, limits.NOW_MS, b"u", value), exc, limits.NOW_MS)
        return False
    check(record)
    assert read(write(record)) == record
    return True


def _read_candidates(value: bytes) -> Candidates:
    record = CANDIDATES.read(value)
    check_candidates(record)
    return record


def _public(name: str, read: Any, check: Callable[[Any], None], *records: msgspec.Struct) -> Decoder:
    """A topic of applications, read by the profiles worker."""
    return Decoder(name, [encode_json(record) for record in records], False, partial(taken_in, name, read, check))


def _read_row_body(value: bytes) -> RowBody:
    read_row_body(value)
    return ROW_BODY.read(value)


def _packed(
    name: str,
    codec: PackedCodec[Any],
    read: Callable[[bytes], Any],
    check: Callable[[Any], None],
    *records: msgspec.Struct,
) -> Decoder:
    """A packed record."""
    seeds = [codec.write(record) for record in records]
    return Decoder(name, seeds, True, partial(decoded, read, codec.write, check))


_ITEMS = [Item("a", "Mug", "red", ["cups"], ["red"], 1.5, added_at=1.6e9), Item("ü", available=False)]
_CANDIDATES = [
    Candidates(
        "u", "events-0-7", ["events-0-7"], "r", 10, 1, 5, ["a", "b"], ["a"], ["b", "c"], ["item_cf", "popular"],
        floats(0.5, 0, 1, 2), ints(1, -1), 2, "mug", "a", Filters(["cups"], ["d"]), "default",
    ),
    Candidates("u", "r", [], None, 1, 1, 0, [], [], [], [], b"", ints(), 0),
]  # fmt: skip

# fmt: off
DECODERS = (
    _public(
        "events",
        read_event,
        limits.event,
        Event("u", "rate", "a", 1.6e9, 4.0, event_id="e", recommendation_id="r"),
        Event("u", "search", query="red mug"),
        Event("ü", "purchase", "a"),
    ),
    _public("users", read_user, limits.user, User("u", {"age": 30.0, "new": True, "land": "fr"}, ["tea"]), User("v")),
    _public(
        "requests",
        read_request,
        limits.request,
        Request("u", "r", 5, Context("a", "mug"), Filters(["cups"], ["b"]), 100),
        Request("u"),
    ),
    _public(
        "recommendations",
        read_recommendation,
        limits.recommendation,
        Recommendation(
            "r", "u", [RankedItem("a", 1.0, "popular", "b", "Mug", {"popular": 1.0}, {"popular": 0.5})], ["r"], 1.5
        ),
    ),
    Decoder(
        "items",
        [encode_json(item) for item in _ITEMS],
        False,
        partial(decoded, lambda value: read_catalogue(_key(value, "item_id"), value), encode_json, limits.item),
    ),
    _packed(
        "Profile",
        PROFILE,
        PROFILE.read,
        limits.profile,
        Profile(
            {"a": 5, "b": 2**40},
            1,
            2,
            {"tea": 0.5},
            ["red mug"],
            {"age": 30.0, "new": True},
            ["tea"],
            ["b"],
            ["id"],
            [ListInFlight("one", ["a"], [{"popular": 1.0}], 1, 2, [0])],
            [EarlyAction("two", "a", "click", 3)],
        ),
    ),
    _packed(
        "CoCounts",
        CO_COUNTS,
        read_co_counts,
        limits.co_counts,
        CoCounts(
            3,
            ["a", "b", "c"],
            ints(0, 2),
            ints(2, 1),
            ints(1, 2, 0),
            ints(1, 1, -1),
            ints(1024, 600, -300),
            ints(1, -1),
            ints(2, 0),
            {"land=fr": (ints(0), ints(2))},
        ),
        CoCounts(1, [], ints(), ints(), ints(), ints(), ints(), ints(), ints()),
    ),
    _packed(
        "RowHead",
        ROW_HEAD,
        ROW_HEAD.read,
        limits.row_head,
        RowHead(1, 2, 3, 0.5, 4.0, {"fr": (0.5, 1.0)}, True, -5),
        RowHead(),
    ),
    _packed(
        "RowBody",
        ROW_BODY,
        _read_row_body,
        limits.row_body,
        RowBody(ints(0, 3, 300), ints(1, 2, 70_000), ints(5, 6, 2**35)),
    ),
    _packed(
        "Neighbours",
        NEIGHBOURS,
        read_neighbours,
        limits.neighbours,
        Neighbours(["a", "b"], floats(0.9, 0.1), ints(5, 1), ints(9, 300), 3, 4, 0.5, 1.0, {"fr": 0.5}),
        Neighbours([], b"", ints(), ints(), 0, 0, 0.0, 0.0),
    ),
    Decoder(
        "Candidates",
        [CANDIDATES.write(record) for record in _CANDIDATES],
        True,
        partial(decoded, _read_candidates, CANDIDATES.write, limits.candidates),
    ),
)
# fmt: on
