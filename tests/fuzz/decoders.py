"""The decoders, each with valid records to start from and what must hold of an accepted one."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import numpy as np

from agents.checks import read_co_counts, read_neighbours, read_row_body
from agents.cuts import CUT, Cut
from agents.exposure import read_exposure
from agents.learner import choice_of
from agents.live_evaluation import read_moments
from agents.packed import (
    CANDIDATES,
    CO_COUNTS,
    ERASURE,
    EXPOSURE_STATE,
    LIVE_USER,
    MOMENTS,
    NEIGHBOURS,
    PROFILE,
    RANKER_STATE,
    ROW_BODY,
    ROW_HEAD,
    Candidates,
    CoCounts,
    Erasure,
    ExposureState,
    Moments,
    Neighbours,
    PackedCodec,
    RankerState,
    RowBody,
    RowHead,
    pack_floats,
    pack_ints,
)
from agents.records import (
    Choice,
    Context,
    Event,
    Filters,
    Item,
    ModelVersion,
    Outcome,
    RankedItem,
    Recommendation,
    Request,
    Rule,
    User,
    encode_json,
    read_catalogue,
    read_event,
    read_outcome,
    read_recommendation,
    read_request,
    read_rule_record,
    read_user,
)
from agents.rules import read_rule
from agents.runtime.seal import Absorbed, Seal, Tally, unpack_seal
from agents.scoring.lists import check_candidates
from models.features import pack_features
from models.history import History
from models.live_hits import Compared, LiveUser, SentList
from models.profile import EarlyAction, ListInFlight, Profile
from tests.fuzz import limits
from tests.fuzz.taking import Decoder, decoded, key_of, shown, taken_in


def ints(*values: int) -> bytes:
    return pack_ints(np.array(values, np.int64))


def floats(*values: float) -> bytes:
    return pack_floats(np.array(values))


def _read_exposure(value: bytes) -> ExposureState:
    read_exposure(ModelVersion("exposure", "1", state=value))
    return EXPOSURE_STATE.read(value)


def _read_candidates(value: bytes) -> Candidates:
    record = CANDIDATES.read(value)
    check_candidates(record)
    return record


def _read_outcome(value: bytes) -> Outcome:
    outcome = read_outcome(value)
    choice_of(outcome, ["popular"])
    return outcome


def _public(name: str, read: Any, check: Callable[[Any], None], *records: msgspec.Struct) -> Decoder:
    """A topic of applications, read by the profiles worker."""
    return Decoder(name, [encode_json(record) for record in records], False, partial(taken_in, name, read, check))


def _read_rule(value: bytes) -> Rule:
    read_rule(key_of(value, "name"), value)
    return read_rule_record(value)


def _read_moments(value: bytes) -> Moments:
    read_moments(value)
    return MOMENTS.read(value)


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


_ITEMS = [Item("a", "Mug", "red", ["cups"], ["red"], 1.5, added_at=1.6e9, weight=2.0), Item("ü", available=False)]
_RULES = [
    Rule("a", "boost", ["x"], ["cups"], ["red"], 30.0, 1.5, from_time=5.0, until=1.6e9),
    Rule("ü", "pin", ["x", "y"], position=3),
    Rule("c", "repeat", days=7.0),
    Rule("d", "cap", categories=["cups"], most=2),
]
_CANDIDATES = [
    Candidates(
        "u", "events-0-7", ["events-0-7"], "r", 10, 1, 5, ["a", "b"], ["a"], ["b", "c"], ["item_cf", "popular"],
        floats(0.5, 0, 1, 2), ints(1, -1), 2, "mug", "a", Filters(["cups"], ["d"], ["pots"], ["b"]), "default",
    ),
    Candidates("u", "r", [], None, 1, 1, 0, [], [], [], [], b"", ints(), 0),
]  # fmt: skip

_OUTCOMES = [
    Outcome("u", "r", "clicked", 1.5, "a", 1, "click", choice=Choice([0, 1], {"popular": [1.0, 0.5]})),
    Outcome("u", "r", "stale", 1.5, triggers=["events-0-7"]),
]

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
        partial(decoded, lambda value: read_catalogue(key_of(value, "item_id"), value), encode_json, limits.item),
    ),
    Decoder(
        "rules",
        [encode_json(rule) for rule in _RULES],
        False,
        partial(decoded, _read_rule, encode_json, limits.rule),
    ),
    _packed("Cut", CUT, CUT.read, lambda _: None, Cut({0: {"events": 7}, 3: {}}, 2), Cut({})),
    _packed(
        "Profile",
        PROFILE,
        PROFILE.read,
        limits.profile,
        Profile(
            History.of({"a": 5, "b": 2**40}),
            1,
            2,
            {"tea": 0.5},
            ["red mug"],
            {"age": 30.0, "new": True},
            ["tea"],
            ["b"],
            ["id"],
            [ListInFlight("one", ["a"], pack_features([[{"popular": 1.0}]])[0], 1, 2, [0])],
            [EarlyAction("two", "a", "click", 3)],
        ),
    ),
    _packed("Erasure", ERASURE, ERASURE.read, lambda _: None, Erasure(1_700_000_000_000), Erasure(0)),
    Decoder(
        "Seal",
        [
            Seal(Tally(2, 70_000), {"events": Absorbed(7, "id"), "users": Absorbed(0, "")}).pack(),
            Seal(Tally(0, 0)).pack(),
        ],
        False,
        partial(decoded, unpack_seal, Seal.pack, lambda _: None),
    ),
    Decoder(
        "dead letters",
        [
            b"\x01" + msgspec.msgpack.encode(headers)
            for headers in (
                [("topic", b"events"), ("partition", b"0"), ("offset", b"7"), ("original.a", b"b")],
                [("traceback", b"a\nb"), ("detail", b"x"), ("timestamp_ms", b"1700000000000"), ("length", b"9")],
            )
        ],
        True,
        shown,
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
            (ints(1), ints(-4_500), ints(-1)),
        ),
        CoCounts(1, [], ints(), ints(), ints(), ints(), ints(), ints(), ints()),
    ),
    Decoder(
        "outcomes",
        [encode_json(outcome) for outcome in _OUTCOMES],
        False,
        partial(decoded, _read_outcome, encode_json, limits.outcome),
    ),
    _packed(
        "RankerState",
        RANKER_STATE,
        RANKER_STATE.read,
        lambda record: limits.finite(*record.gains),
        RankerState(["popular"], b"\0" * 8, [0], [1], (b"", b""), (b"\1" * 8, b""), (1.0, 1.0, 0.5, 2.0), 3, {0: 7}),
    ),
    _packed(
        "ExposureState",
        EXPOSURE_STATE,
        _read_exposure,
        limits.exposure,
        ExposureState(["a", "ö"], ints(1, 0), ints(2, 70_000), {0: 7}),
        ExposureState([], ints(), ints(), {}),
    ),
    _packed(
        "RowHead",
        ROW_HEAD,
        ROW_HEAD.read,
        limits.row_head,
        RowHead(1, 2, 3, 0.5, 4.0, {"fr": (0.5, 1.0)}, True, -5, 4_500, 1),
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
        Neighbours(["a", "b"], floats(0.9, 0.1), ints(5, 1), ints(9, 300), 3, 4, 0.5, 1.0, {"fr": 0.5}, floats(0.25)),
        Neighbours([], b"", ints(), ints(), 0, 0, 0.0, 0.0),
    ),
    _packed(
        "LiveUser",
        LIVE_USER,
        LIVE_USER.read,
        limits.live_user,
        LiveUser(
            [5, -(2**63)],
            [SentList((1_700_000_000_000, 7), "default", [5, 9], ["fresh", "popular"], 11)],
            [Compared(1_700_000_000_001, 9, (1_700_000_000_000, 7), "default", 1, "popular"), Compared(2, 3)],
            {"default": {"all": [1, 2, 0, 0, 0, 0, 1, 1], "source:fresh": [0, 1, 0, 0, 0, 0, 0, 0]}},
        ),
        LiveUser(consent=False),
    ),
    _packed(
        "Moments",
        MOMENTS,
        _read_moments,
        limits.moments,
        Moments(pack_ints(np.arange(66))),
        Moments(pack_ints(np.arange(66) << 40)),
    ),
    Decoder(
        "Candidates",
        [CANDIDATES.write(record) for record in _CANDIDATES],
        True,
        partial(decoded, _read_candidates, CANDIDATES.write, limits.candidates),
    ),
)
# fmt: on
