"""Records of applications are checked one by one: the good go on, the bad become dead letters with a reason."""

import json
from typing import Any

import pytest
from faust.types import TP

from agents.intake import Intake
from agents.partition import partition_of
from agents.records import MAX_EVENT_BYTES
from agents.runtime.batch import Batch, Record
from agents.runtime.metrics import Metrics
from agents.runtime.transaction import Transaction
from agents.settings import read_settings
from agents.topics import build_topics
from agents.user_work import Work, group_by_user
from tests.agents.runtime.test_positions import Rec

NOW_MS = 1_700_000_000_000
SETTINGS = read_settings(event_future_s=60)
TOPICS = build_topics(SETTINGS)


class Sent:
    """Stands for the producer of a transaction: keeps what was sent."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int, bytes | None, bytes | None, list[tuple[str, bytes]]]] = []

    def begin_transaction(self) -> None:
        """Nothing to do."""

    def produce(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int, *options: Any
    ) -> None:  # then callback, on_delivery, timestamp, headers
        self.records.append((topic, partition, key, value, options[3] or []))

    def reasons(self) -> list[str]:
        return [dict(headers)["reason"].decode() for topic, *_, headers in self.records if topic == "dead-letters"]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def transaction(sent: Sent) -> Transaction:
    producer: Any = sent
    return Transaction(producer, None, (TOPICS.dead_letters.name, 4), Metrics(), NOW_MS)


@pytest.fixture
def intake() -> Intake:
    return Intake(SETTINGS)


def event(key: bytes | None = b"u", raw: bytes | None = None, **changes: object) -> Record:
    fields = {"user_id": "u", "item_id": "i", "event_type": "view", **changes}
    value = json.dumps({name: field for name, field in fields.items() if field is not None}).encode()
    return Rec("events", 0, 7, NOW_MS, key, value if raw is None else raw)


def test_the_time_of_an_event_is_its_own_or_the_record_s(intake: Intake, transaction: Transaction) -> None:
    records = [event(), event(timestamp=12.5), event(timestamp=0), event(timestamp=NOW_MS / 1000 + 60)]
    assert [at_ms for _, _, at_ms in intake.events(records, transaction)] == [NOW_MS, 12_500, 0, NOW_MS + 60_000]
    assert transaction.bad == 0


@pytest.mark.parametrize(
    ("record", "reason", "hint"),
    [
        (event(timestamp=NOW_MS / 1000 + 61), "bad_timestamp", "61 s ahead"),
        (event(timestamp=NOW_MS), "bad_field", "timestamp"),
        (event(key=b"v"), "wrong_key", "send the user_id as the key"),
        (event(key=b"\xff"), "wrong_key", "send the user_id as the key"),
        (event(key=None), "missing_key", "send the user_id as the key"),
        (event(key=b""), "missing_key", "send the user_id as the key"),
        (event(item_id=None), "missing_field", "type view needs an item_id"),
        (event(item_id=None, event_type="rate", rating=1), "missing_field", "type rate needs an item_id"),
        (event(event_type="rate"), "missing_field", "needs a rating"),
        (event(event_type="search", item_id=None), "missing_field", "needs a query"),
        (event(event_type="search", item_id=None, query=""), "missing_field", "needs a query"),
        (event(event_type="search"), "missing_field", "needs a query"),
        (event(item_id="a\tb"), "bad_id", "item_id"),
        (event("ü".encode() * 129, user_id="ü" * 129), "bad_id", "user_id"),
        (event(raw=b"{"), "bad_json", ""),
        (event(raw=b'{"user_id":"\\ud800","event_type":"view"}'), "bad_json", ""),
        (event(raw=b" " * (MAX_EVENT_BYTES + 1)), "too_large", str(MAX_EVENT_BYTES)),
    ],
)
def test_a_bad_event_becomes_a_dead_letter_that_says_why(
    record: Record, reason: str, hint: str, intake: Intake, transaction: Transaction, sent: Sent
) -> None:
    good = event(item_id="good")
    assert [one for one, _, _ in intake.events([record, good], transaction)] == [good]
    (topic, _, key, value, headers) = sent.records[0]
    assert (topic, key, value) == (TOPICS.dead_letters.name, record.key, record.value)
    assert sent.reasons() == [reason]
    assert hint in dict(headers)["detail"].decode()
    assert transaction.bad == 1


def test_an_id_that_is_bad_once_is_bad_again(intake: Intake, transaction: Transaction, sent: Sent) -> None:
    bad = event(item_id="a\x00")
    assert list(intake.events([bad, bad], transaction)) == []
    assert list(intake.events([bad], transaction)) == []
    assert sent.reasons() == ["bad_id"] * 3


def test_a_search_needs_no_item(intake: Intake, transaction: Transaction) -> None:
    searches = [event(event_type="search", item_id=item, query="red mug") for item in (None, "i")]
    found = [(read.item_id, read.query) for _, read, _ in intake.events(searches, transaction)]
    assert found == [(None, "red mug"), ("i", "red mug")]


def test_a_null_declaration_erases_the_user_of_its_key(intake: Intake, transaction: Transaction, sent: Sent) -> None:
    def declared(key: bytes | None, value: bytes | None) -> Record:
        return Rec("users", 0, 0, NOW_MS, key, value)

    good = [declared(b"u", None), declared(b"u", b'{"user_id": "u", "consent": false}')]
    bad = [declared(b"", None), declared(None, None), declared(b"\xff", None), declared(b"v", good[1].value)]
    found = list(intake.users([*good, *bad], transaction))
    assert [record for record, _ in found] == good
    assert [None if user is None else user.consent for _, user in found] == [None, False]
    assert sent.reasons() == ["missing_key", "missing_key", "bad_id", "wrong_key"]


@pytest.mark.parametrize(("k", "good"), [(1, True), (100, True), (0, False), (101, False)])
def test_a_request_is_for_1_to_100_items(k: int, good: bool, intake: Intake, transaction: Transaction) -> None:
    record = Rec("requests", 0, 0, NOW_MS, b"u", json.dumps({"user_id": "u", "k": k}).encode())
    assert [request.k for _, request in intake.requests([record], transaction)] == [k] * good
    assert transaction.bad == (not good)


class TestByUser:
    """A batch sorted by user; what lies in a wrong partition goes on to the right one."""

    KEY = b"u"
    RIGHT = partition_of(KEY, SETTINGS.user_partitions)
    WRONG = (RIGHT + 1) % SETTINGS.user_partitions

    def grouped(self, topic: str, partition: int, *records: Rec, transaction: Transaction, intake: Intake) -> Work:
        return group_by_user(Batch({TP(topic, partition): records}), TOPICS, intake, transaction)

    def test_each_user_s_records_in_log_order(self, intake: Intake, transaction: Transaction) -> None:
        value = b'{"user_id": "u", "item_id": "%d", "event_type": "view"}'
        runs = {
            TP("events", self.RIGHT): [Rec("events", self.RIGHT, n, 1, self.KEY, value % n) for n in range(3)],
            TP("requests", self.RIGHT): [Rec("requests", self.RIGHT, 0, 1, self.KEY, b'{"user_id": "u"}')],
        }
        (work,) = group_by_user(Batch(runs), TOPICS, intake, transaction)[self.RIGHT].values()
        assert [read.item_id for _, read, _ in work.events] == ["0", "1", "2"]
        assert len(work.requests) == 1

    def test_a_misplaced_record_is_forwarded_once(self, intake: Intake, transaction: Transaction, sent: Sent) -> None:
        first = Rec("events", self.WRONG, 5, 9, self.KEY, b"not even read", (("h", b"1"),))
        work = self.grouped("events", self.WRONG, first, transaction=transaction, intake=intake)
        assert not any(work.values())
        ((topic, partition, key, value, headers),) = sent.records
        assert (topic, partition, key, value) == ("events", self.RIGHT, self.KEY, b"not even read")
        assert headers == [("h", b"1"), ("forwarded", f"{self.WRONG}-5".encode())]
        again = Rec("events", self.WRONG, 6, 9, self.KEY, value, tuple(headers))
        self.grouped("events", self.WRONG, again, transaction=transaction, intake=intake)
        assert sent.reasons() == ["wrong_partition"]

    def test_a_list_must_have_its_user_as_key(self, intake: Intake, transaction: Transaction, sent: Sent) -> None:
        value = b'{"recommendation_id":"r","user_id":"u","items":[],"triggers":["r"],"created_at":1}'
        records = [Rec("recommendations", self.RIGHT, n, 1, key, value) for n, key in enumerate((b"u", b"v", None))]
        work = self.grouped("recommendations", self.RIGHT, *records, transaction=transaction, intake=intake)
        assert len(work[self.RIGHT][self.KEY].recommendations) == 1
        assert sent.reasons() == ["wrong_key", "wrong_key"]
