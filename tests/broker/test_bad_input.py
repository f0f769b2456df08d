"""Bad input on a real Kafka: each record goes to the dead letters with its reason, or is accepted as documented."""

import json
import time
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.packed import PROFILE
from agents.runtime.clients import plain_producer
from agents.runtime.reading import ReadRecord
from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.support import broker_settings, cluster, drained, newest, read_all, send

GOOD = {"user_id": "u", "item_id": "i", "event_type": "view", "timestamp": 1_700_000_000}


def event(**changes: object) -> bytes:
    """A good event with some fields changed; None takes a field away."""
    return json.dumps({name: value for name, value in {**GOOD, **changes}.items() if value is not None}).encode()


BAD = {
    "broken JSON": (b"u", b'{"user_id": "u", ', "bad_json"),
    "not an object": (b"u", b"[1, 2]", "bad_field"),
    "not UTF-8": (b"u", b'{"user_id": "\xff\xfe", "event_type": "view"}', "bad_json"),
    "wrong type": (b"u", event(item_id=7), "bad_field"),
    "unknown event type": (b"u", event(event_type="stared at"), "bad_field"),
    "timestamp in milliseconds": (b"u", event(timestamp=1_700_000_000_000), "bad_field"),
    "timestamp far in the future": (b"u", event(timestamp=time.time() + 10 * 86_400), "bad_timestamp"),
    "negative timestamp": (b"u", event(timestamp=-5), "bad_field"),
    "timestamp as text": (b"u", event(timestamp="yesterday"), "bad_field"),
    "NaN": (b"u", b'{"user_id":"u","item_id":"i","event_type":"view","timestamp":NaN}', "bad_json"),
    "Infinity": (b"u", b'{"user_id":"u","item_id":"i","event_type":"view","timestamp":Infinity}', "bad_json"),
    "overflow to infinity": (b"u", b'{"user_id":"u","item_id":"i","event_type":"view","timestamp":1e999}', None),
    "value over the limit": (b"u", event(query="x" * 70_000), "too_large"),
    "empty key": (b"", event(), "missing_key"),
    "no key": (None, event(), "missing_key"),
    "key differs from user_id": (b"someone else", event(), "wrong_key"),
    "control character in user_id": (b"u\x07", event(user_id="u\x07"), "bad_id"),
    "control character in item_id": (b"u", event(item_id="i\n"), "bad_id"),
    "item_id of 10 kB": (b"u", event(item_id="i" * 10_000), "bad_field"),
    "user_id of 10 kB": (b"u" * 10_000, event(user_id="u" * 10_000), "bad_field"),
    "user_id long in bytes": ("ü".encode() * 200, event(user_id="ü" * 200), "bad_id"),
    "empty user_id": (b"u", event(user_id=""), "bad_field"),
    "negative rating": (b"u", event(event_type="rate", rating=-1), "bad_field"),
    "rating missing": (b"u", event(event_type="rate"), "missing_field"),
    "item missing": (b"u", event(item_id=None), "missing_field"),
    "query missing": (b"u", event(event_type="search", item_id=None), "missing_field"),
    "null value": (b"u", None, "null_value"),
    "empty value": (b"u", b"", "bad_json"),
}


def by_offset(records: list[ReadRecord], topic: str) -> dict[tuple[int, int], ReadRecord]:
    """(partition, offset) of the bad record → its dead letter."""
    found = {}
    for record in records:
        headers = dict(record.headers)
        if headers["topic"] == topic.encode():
            found[int(headers["partition"]), int(headers["offset"])] = record
    return found


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data", trigger_types=())
    create_topics(made)
    return made


@pytest.mark.broker
def test_each_bad_event_has_its_dead_letter_and_the_stream_goes_on(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send(settings, topics.events, [(key, value) for key, value, _ in BAD.values()])
    send(settings, topics.events, [(b"good", event(user_id="good", item_id="not in any catalogue"))])
    sent = {(m.partition, m.offset): m for m in read_all(settings, topics.events.name)}
    with cluster(settings, tmp_path) as workers:
        workers.start("profiles")
        workers.wait_until(lambda: drained(settings, "profiles", topics.events), "the last event")
    letters = by_offset(read_all(settings, topics.dead_letters.name), topics.events.name)
    assert len(letters) == len(BAD)
    reasons = {}
    for place, letter in letters.items():
        headers = dict(letter.headers)
        assert letter.value == sent[place].value
        assert int(headers["timestamp_ms"]) == sent[place].timestamp
        assert int(headers["failed_at_ms"]) >= int(headers["timestamp_ms"])
        assert headers["detail"]
        reasons[letter.value, sent[place].key] = headers["reason"].decode()
    for name, (key, value, reason) in BAD.items():
        assert (value, key) in reasons, name
        assert reason is None or reasons[value, key] == reason, name
    rows = newest(read_all(settings, topics.profiles_changelog.name))
    assert [key for _, key in rows] == [b"good"]
    assert list(PROFILE.read(*rows.values()).contacts) == ["not in any catalogue"]


@pytest.mark.broker
def test_what_is_unusual_but_documented_is_accepted(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    accepted = [
        event(item_id="no timestamp", timestamp=None),
        event(item_id="unknown field", colour="red"),
        event(item_id="old", timestamp=0),
        event(item_id="商品 1"),
        event(event_type="search", item_id=None, query="red mug"),
        event(event_type="rate", item_id="rated", rating=0),
    ]
    send(settings, topics.events, [(b"u", value) for value in accepted])
    with cluster(settings, tmp_path) as workers:
        workers.start("profiles")
        workers.wait_until(lambda: drained(settings, "profiles", topics.events), "the last event")
    assert read_all(settings, topics.dead_letters.name) == []
    profile = PROFILE.read(*newest(read_all(settings, topics.profiles_changelog.name)).values())
    assert list(profile.contacts) == ["no timestamp", "unknown field", "old", "商品 1", "rated"]
    assert profile.searches == ["red mug"]


@pytest.mark.broker
def test_bad_requests_users_and_packed_records_are_put_aside_too(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send(settings, topics.requests, [(b"u", b'{"user_id": "u", "k": 0}'), (b"v", b'{"user_id": "u"}')])
    send(settings, topics.users, [(b"u", b'{"user_id": "u", "consent": "perhaps"}'), (b"", None)])
    send(settings, topics.recommendations, [(b"u", b"{}")])
    send(settings, topics.cooccurrence, [(None, b"\xffnot ours"), (None, b"\x01\x93")])
    send(settings, topics.candidates, [(b"u", b"\x01\xc0")])
    with cluster(settings, tmp_path) as workers:
        for kind, source in (
            ("profiles", topics.requests),
            ("profiles", topics.users),
            ("profiles", topics.recommendations),
            ("similarity", topics.cooccurrence),
            ("scorer", topics.candidates),
        ):
            if kind not in {worker.log.stem.split("-")[0] for worker in workers.workers}:
                workers.start(kind)
            workers.wait_until(lambda k=kind, s=source: drained(settings, k, s), f"the end of {source.name}")  # type: ignore[misc]
    reasons = sorted(dict(letter.headers)["reason"] for letter in read_all(settings, topics.dead_letters.name))
    assert reasons == sorted(
        [
            b"bad_field",
            b"wrong_key",
            b"bad_field",
            b"missing_key",
            b"bad_field",
            b"bad_version",
            b"bad_packed",
            b"bad_packed",
        ]
    )


@pytest.mark.broker
def test_a_misplaced_event_is_forwarded_to_its_partition_in_order(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    producer = plain_producer(settings)
    for item in ("a", "b", "c"):
        for partition in range(topics.events.partitions):
            value = event(item_id=f"{item}{partition}")
            producer.produce(topics.events.name, value, b"u", partition)
    producer.flush()
    with cluster(settings, tmp_path) as workers:
        workers.start("profiles")
        workers.wait_until(lambda: drained(settings, "profiles", topics.events), "the last event")
    profile = PROFILE.read(*newest(read_all(settings, topics.profiles_changelog.name)).values())
    assert set(profile.contacts) == {f"{item}{partition}" for item in "abc" for partition in range(4)}
    for partition in range(4):
        assert [item for item in profile.contacts if item.endswith(str(partition))] == [
            f"{i}{partition}" for i in "abc"
        ]
    forwarded = [r for r in read_all(settings, topics.events.name) if any(n == "forwarded" for n, _ in r.headers)]
    assert len(forwarded) == 9
    assert read_all(settings, topics.dead_letters.name) == []


@pytest.mark.broker
def test_a_long_bad_value_is_cut_and_named_by_its_length_and_hash(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    value = b"x" * 1_040_000
    send(settings, topics.events, [(b"u", value)])
    with cluster(settings, tmp_path) as workers:
        workers.start("profiles")
        workers.wait_until(lambda: drained(settings, "profiles", topics.events), "the event")
    (letter,) = read_all(settings, topics.dead_letters.name)
    headers = dict(letter.headers)
    assert letter.value == value[:1_000_000]
    assert int(headers["length"]) == len(value)
    assert len(headers["sha256"]) == 64


@pytest.mark.broker
def test_too_many_bad_records_in_a_row_stop_the_worker_with_a_clear_error(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send(settings, topics.events, [(b"u", b"{")] * 50)
    with cluster(settings, tmp_path) as workers:
        worker = workers.start("profiles", restart=False, PROFILESTREAM_DEAD_LETTERS_IN_ROW="50")
        assert worker.wait(120) == 1
    assert "50 bad records in a row" in worker.text()
    assert "PROFILESTREAM_DEAD_LETTERS_IN_ROW" in worker.text()
    assert len(read_all(settings, topics.dead_letters.name)) == 50
