"""`profilestream verify` on a running stream: equal while events come in; what was falsified is found and named."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from agents import sample
from agents.admin import create_topics
from agents.packed import PROFILE, ROW_HEAD
from agents.replay import send_catalogue
from agents.runtime.clients import transactional_producer
from agents.runtime.reading import ReadRecord
from agents.settings import Settings
from agents.topics import Topic, Topics, build_topics
from models.history import History
from models.profile import pack_contact
from tests.broker.support import (
    absorbed,
    admin_client_of,
    broker_settings,
    cluster,
    newest,
    read_all,
    send,
    wait_until_drained,
)
from tests.broker.test_commands import run

pytestmark = [pytest.mark.broker, pytest.mark.slow]

EVENTS = 12_000


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(
        kafka, unique, tmp_path / "data", gather_s=0.3, rows_published_per_s=20_000, max_batch_records=500
    )
    create_topics(made)
    return made


def verify(settings: Settings, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report."""
    ended = run(settings, "verify", "--json", *arguments)
    assert ended.returncode in {0, 1}, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return ended.returncode, found


def total(report: dict[str, Any], name: str) -> int:
    return sum(part["counts"].get(name, 0) for part in report["partitions"])


def differences(report: dict[str, Any]) -> list[dict[str, str]]:
    return [one for part in report["partitions"] for one in part["differences"]]


def events() -> Iterator[tuple[bytes, bytes]]:
    """The sample's first events with doubles, bad ones, dislikes and searches in between."""
    kinds = ("purchase", "view", "cart", "rate")
    for number, event in zip(range(EVENTS), sample.events(), strict=False):
        key = event["user_id"].encode()
        made: dict[str, object] = {**event, "event_type": kinds[number % 4], "event_id": f"e{number // 3 * 3}"}
        made["rating"] = number % 10 / 2
        yield key, json.dumps(made).encode()
        if number % 100 == 0:
            yield key, b"no json"
            yield key, json.dumps({**event, "event_type": "dislike"}).encode()
            yield key, json.dumps({"user_id": event["user_id"], "event_type": "search", "query": "red mug"}).encode()


@contextmanager
def streaming(settings: Settings, topics: Topics, records: list[tuple[bytes, bytes]]) -> Iterator[threading.Event]:
    """Sends the records over and over, a few hundred at a time, until the context ends."""
    stop = threading.Event()

    def work() -> None:
        at = 0
        while not stop.wait(0.1):
            send(settings, topics.events, records[at : at + 200])
            at = (at + 200) % len(records)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def count_absorbed(settings: Settings, topics: Topics) -> int:
    return sum(absorbed(settings, "profiles", topics.events).values())


QUIET_S = 3.0
"""Rows whose neighbours' norms changed are published some time after the rows that changed themselves."""


@dataclass
class Published:
    """Whether no row waits to be published."""

    settings: Settings
    topics: Topics
    records: int = 0
    since: float = 0.0

    def all(self) -> bool:
        """No row is dirty, and nothing was published for `QUIET_S`."""
        records = len(read_all(self.settings, self.topics.neighbours.name))
        if records != self.records:
            self.records, self.since = records, time.monotonic()
        rows = newest(read_all(self.settings, self.topics.item_rows_changelog.name))
        dirty = any(ROW_HEAD.read(value).dirty for (_, key), value in rows.items() if key[:1] == b"h")
        return not dirty and time.monotonic() - self.since > QUIET_S


@pytest.mark.timeout(600)
def test_all_is_equal_while_events_keep_streaming_in(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send_catalogue(settings, sample.items())
    records = list(events())
    users = sorted({key for key, _ in records})
    declared = [
        (user, json.dumps({"user_id": user.decode(), "attributes": {"age": "25"}}).encode()) for user in users[:50]
    ]
    asked = [(user, json.dumps({"user_id": user.decode(), "k": 3}).encode()) for user in users[:100]]
    with cluster(settings, tmp_path) as workers:
        workers.start("scorer")
        workers.start("similarity")
        first, _ = workers.start("profiles", "1"), workers.start("profiles", "2")
        send(settings, topics.users, declared)
        send(settings, topics.events, records)
        send(settings, topics.requests, asked)
        send(settings, topics.users, [(user, None) for user in users[40:60]])
        workers.wait_until(lambda: count_absorbed(settings, topics) >= 4_000, "event 4,000")
        first.kill()
        with streaming(settings, topics, records):
            for _ in range(2):
                before = count_absorbed(settings, topics)
                code, report = verify(settings)
                assert (code, differences(report)) == (0, [])
                workers.wait_until(lambda before=before: count_absorbed(settings, topics) > before, "more events")  # type: ignore[misc]
        wait_until_drained(workers, topics)
        workers.wait_until(Published(settings, topics).all, "all neighbours", 120)
        code, report = verify(settings, "--at-rest")
        assert (code, differences(report), report["complete"]) == (0, [], True)
    sent = len(read_all(settings, topics.events.name))
    assert total(report, "events") == sent
    parts = ("absorbed", "doubles", "dead letters", "of users erased or without consent")
    assert sum(total(report, f"events: {part}") for part in parts) == sent
    assert min(total(report, f"events: {part}") for part in parts) > 0
    assert total(report, "users: dead letters") == total(report, "requests: dead letters") == 0
    assert sum(total(report, f"{source}: forwarded") for source in ("events", "users", "requests")) == 0
    assert total(report, "neighbours compared") == total(report, "rows compared with histories") > 1_000


def falsify(settings: Settings, topic: str, record: ReadRecord, value: bytes) -> None:
    """Write a row as a stranger would, in a committed transaction."""
    producer = transactional_producer(settings, f"{settings.topic_prefix}stranger")
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(topic, value, record.key, record.partition)
    producer.commit_transaction(10)


def test_what_was_falsified_is_found_and_named(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    records = [(b"u%d" % user, event(user, item)) for user in range(30) for item in range(user % 7, user % 7 + 5)]
    with cluster(settings, tmp_path) as workers:
        for kind in ("profiles", "similarity", "scorer"):
            workers.start(kind)
        send(settings, topics.events, records)
        wait_until_drained(workers, topics)
        workers.wait_until(Published(settings, topics).all, "all neighbours", 120)
        assert verify(settings)[0] == 0
        changelog = topics.profiles_changelog.name
        row = next(record for record in reversed(read_all(settings, changelog)) if record.key == b"u3")
        profile = PROFILE.read(row.value or b"")
        profile.contacts["wrong"] = pack_contact(1, 1.0)
        falsify(settings, changelog, row, PROFILE.write(profile))
        code, report = verify(settings, "--show-ids")
        assert code == 1
        found = differences(report)
        assert ("profile differs", "history", "u3") in {(d["kind"], d["detail"], d.get("user")) for d in found}
        assert "row after the last seal" in {one["kind"] for one in found}
        assert ("item row differs from histories", "wrong") in {(one["kind"], one["place"]) for one in found}
        assert "u3" not in json.dumps(verify(settings)[1])
        heads = [r for r in read_all(settings, topics.item_rows_changelog.name) if (r.key or b"")[:1] == b"h"]
        head = ROW_HEAD.read(heads[-1].value or b"")
        head.users += 1
        head.rating_sum += 1_000
        falsify(settings, topics.item_rows_changelog.name, heads[-1], ROW_HEAD.write(head))
        found = differences(verify(settings)[1])
        assert {"item row differs from cooccurrence", "neighbours differ"} <= {one["kind"] for one in found}
        assert any("ratings, in thousandths 1000, recomputed 0" in one["detail"] for one in found)
        lost = read_all(settings, topics.recommendations.name)[-1]
        falsify(settings, topics.recommendations.name, lost, lost.value or b"")
        assert "list twice" in {one["kind"] for one in differences(verify(settings)[1])}


def event(user: int, item: int) -> bytes:
    return json.dumps({"user_id": f"u{user}", "event_type": "purchase", "item_id": f"i{item}"}).encode()


def delete_to_the_end(settings: Settings, topic: Topic) -> None:
    """What retention does to a topic in the end."""
    ends = {record.partition: record.offset + 1 for record in read_all(settings, topic.name)}
    asked = [TopicPartition(topic.name, partition, end) for partition, end in ends.items()]
    for future in admin_client_of(settings).delete_records(asked).values():
        future.result(10)


def test_where_retention_has_deleted_the_start_the_rest_is_verified(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    first = [(b"u%d" % user, event(user, item)) for user in range(20) for item in range(5)]
    then = [(b"u%d" % user, event(user, item)) for user in range(0, 30, 2) for item in range(3, 8)]
    with cluster(settings, tmp_path) as workers:
        for kind in ("profiles", "similarity", "scorer"):
            workers.start(kind)
        send(settings, topics.events, first)
        wait_until_drained(workers, topics)
        for topic in (topics.events, topics.cooccurrence, topics.recommendations):
            delete_to_the_end(settings, topic)
        send(settings, topics.events, then)
        wait_until_drained(workers, topics)
        code, report = verify(settings)
        assert (code, differences(report), report["complete"]) == (0, [], False)
        notes = " ".join(note for part in report["partitions"] for note in part["notes"])
        assert all(f"{topic.name} begins at" in notes for topic in (topics.events, topics.cooccurrence))
        changelog = topics.profiles_changelog.name
        row = next(record for record in reversed(read_all(settings, changelog)) if record.key == b"u2")
        profile = PROFILE.read(row.value or b"")
        profile.contacts = History.of({item: contact for item, contact in profile.contacts.items() if item != "i7"})
        falsify(settings, changelog, row, PROFILE.write(profile))
        found = {(one["kind"], one["place"]) for one in differences(verify(settings)[1])}
        assert ("item row differs from histories", "i7") in found
        assert "profile differs" in {kind for kind, _ in found}
