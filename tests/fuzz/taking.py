"""How an input goes in, as in a worker or a command: accepted, refused, or neither, which is a finding."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from faust.types import TP

from agents.commands.show_letters import letter_json, letter_table, letters_table
from agents.dead_letters import Letter, _letter
from agents.errors import RecordError, SetupError
from agents.intake import Intake
from agents.records import encode_json
from agents.runtime.batch import Batch
from agents.runtime.dead_letters import dead_letter
from agents.runtime.metrics import Metrics
from agents.runtime.reading import ReadRecord
from agents.runtime.transaction import Transaction
from agents.settings import read_settings
from agents.topics import build_topics
from agents.user_work import group_by_user
from tests.agents.runtime.test_positions import Rec
from tests.fuzz import limits

SETTINGS = read_settings()
TOPICS = build_topics(SETTINGS)
MOST_BROKER_BYTES = 1_048_000


@dataclass(frozen=True)
class Decoder:
    """`take` returns whether it accepted the input; what else it raises is a finding."""

    name: str
    seeds: Sequence[bytes]
    packed: bool
    take: Callable[[bytes], bool]


class _Producer:
    """Stands for the producer of a transaction: keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]] = []

    def begin_transaction(self) -> None:
        """Nothing to do."""

    def produce(self, topic: str, value: bytes | None, key: bytes | None, _: int, *options: Any) -> None:
        assert topic == TOPICS.dead_letters.name
        self.sent.append((key, value, options[3]))  # after callback, on_delivery and timestamp


_INTAKE = Intake(SETTINGS)
_METRICS = Metrics()
_ONE_PARTITION = build_topics(SETTINGS.model_copy(update={"user_partitions": 1}))
"""No record is misplaced."""


def key_of(value: bytes, field: str = "user_id") -> bytes:
    """The key that an application would give: the id, if there is one to be seen."""
    try:
        return str(json.loads(value)[field]).encode()
    except (ValueError, KeyError, TypeError, UnicodeError, RecursionError):
        return b"u"


def taken_in(topic: str, read: Callable[[bytes], Any], check: Callable[[Any], None], value: bytes) -> bool:
    """A record of an application on its whole way in: accepted, or one dead letter that a broker takes."""
    producer: Any = _Producer()
    transaction = Transaction(producer, None, (TOPICS.dead_letters.name, 4), _METRICS, limits.NOW_MS)
    record = Rec(topic, 0, 7, limits.NOW_MS, key_of(value), value)
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
    except SetupError:  # of a seal: the restore ends and says so
        return False
    except RecordError as exc:
        dead_letter(Rec("candidates", 0, 7, limits.NOW_MS, b"u", value), exc, limits.NOW_MS)
        return False
    check(record)
    assert read(write(record)) == record
    return True


Headers = list[tuple[str, bytes | None]]
_headers = msgspec.msgpack.Decoder(Headers).decode


def shown(value: bytes) -> bool:
    """A dead letter as commands show it. The input is one byte, then msgpack of the letter's headers."""
    try:
        headers = _headers(memoryview(value)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    letter = _letter(ReadRecord(TOPICS.dead_letters.name, 0, 7, limits.NOW_MS, value, value, cast("Any", headers)), "")
    if letter is None:
        return False
    json.dumps(letter_json(letter)).encode("ascii")
    letters_table([letter])
    letter_table(letter)
    _numbers(letter)
    return True


def _numbers(letter: Letter) -> None:
    """Numbers of a letter, as a retry uses them."""
    for name in ("partition", "offset", "timestamp_ms"):
        assert letter.number(name) >= -1
