"""Dead letters on a real Kafka: shown safely, retried once whatever happens, dropped, limited.

events ─► worker ─► letter ─► retry ─► events + mark (one transaction)
"""

import json
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.errors import RecordError
from agents.lookup import ends_of
from agents.packed import PROFILE
from agents.runtime.clients import plain_producer
from agents.runtime.dead_letters import dead_letter
from agents.settings import Settings
from agents.topics import build_topics
from tests.agents.runtime.test_positions import Rec
from tests.broker.support import (
    Supervised,
    broker_settings,
    cluster,
    drained,
    environment,
    newest,
    read_all,
    send,
    wait_until,
)
from tests.broker.test_commands import COMMAND, run

pytestmark = pytest.mark.broker

HOUR_MS = 3_600_000
HEADERS = [("trace", b"7"), ("reason", b"of its own"), ("raw", b"\xff")]


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data")
    create_topics(made)
    return made


def put_aside(settings: Settings, records: list[Rec], reason: str = "bad_json") -> None:
    """Letters of these records, as a worker would have sent them."""
    topic = build_topics(settings).dead_letters.name
    producer = plain_producer(settings)
    for record in records:
        letter = dead_letter(record, RecordError(reason, "made by a test"), 1)
        producer.produce(topic, letter.value, letter.key, record.partition % 4, headers=list(letter.headers))
    assert producer.flush(30) == 0


def records(settings: Settings, count: int) -> list[Rec]:
    name = build_topics(settings).events.name
    return [Rec(name, n % 4, n, 1_000 + n, b"u%d" % n, b"value %d" % n, tuple(HEADERS)) for n in range(count)]


def shown(settings: Settings, *arguments: str) -> list[dict[str, object]]:
    ended = run(settings, "dead-letters", "show", "--json", *arguments)
    assert ended.returncode == (0 if ended.stdout else 1), ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_letter_whose_cause_is_mended_is_retried_once_and_absorbed(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    ahead = json.dumps({"user_id": "u", "item_id": "i", "event_type": "view", "timestamp": time.time() + 600}).encode()
    producer = plain_producer(settings)
    sent_ms = int(time.time() * 1000) - HOUR_MS
    producer.produce(topics.events.name, ahead, b"u", headers=list(HEADERS), timestamp=sent_ms)
    producer.flush()
    send(settings, topics.events, [(b"u", b"{")])
    with cluster(settings, tmp_path) as workers:
        strict = workers.start("profiles", PROFILESTREAM_EVENT_FUTURE_S="60")
        workers.wait_until(lambda: drained(settings, "profiles", topics.events), "the events")
        strict.stop()
        workers.workers.clear()
        workers.start("profiles")
        assert Counter(one["reason"] for one in shown(settings)) == {"bad_timestamp": 1, "bad_json": 1}
        ended = run(settings, "dead-letters", "retry", "--reason", "bad_timestamp", "--json")
        assert json.loads(ended.stdout) == {"retried": 1, "before": 0, "refused": [], "unknown": []}
        again = run(settings, "dead-letters", "retry", "--reason", "bad_timestamp", "--json")
        assert json.loads(again.stdout) == {"retried": 0, "before": 1, "refused": [], "unknown": []}
        workers.wait_until(lambda: drained(settings, "profiles", topics.events), "the retried event")
    original, _, retried = read_all(settings, topics.events.name)
    assert retried.partition == original.partition
    assert (retried.key, retried.value, retried.timestamp) == (b"u", ahead, sent_ms)
    assert list(retried.headers) == HEADERS
    profile = PROFILE.read(*newest(read_all(settings, topics.profiles_changelog.name)).values())
    assert list(profile.contacts) == ["i"]
    (left,) = shown(settings)
    assert left["reason"] == "bad_json"
    assert run(settings, "dead-letters", "drop", str(left["letter"])).stdout == "1 dropped\n"
    assert shown(settings) == []
    assert Counter(one["settled"] for one in shown(settings, "--all")) == {"retried": 1, "dropped": 1}


def test_letters_are_chosen_by_name_reason_and_topic(settings: Settings) -> None:
    put_aside(settings, records(settings, 8))
    put_aside(settings, records(settings, 4), "wrong_key")
    put_aside(settings, [Rec(build_topics(settings).requests.name, 0, 9)], "wrong_key")
    assert len(shown(settings)) == 13
    assert len(shown(settings, "--newest", "3")) == 3
    assert len(shown(settings, "--reason", "wrong_key", "--reason", "none")) == 5
    assert len(shown(settings, "--topic", "requests")) == 1
    assert len(shown(settings, "--topic", build_topics(settings).requests.name)) == 1
    assert [one["letter"] for one in shown(settings, "2-0")] == ["2-0"]
    table = run(settings, "dead-letters", "show").stderr
    assert "13 letters (bad_json 8, wrong_key 5)" in table
    ended = run(settings, "dead-letters", "retry", "2-0", "2-99", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["unknown"]) == (1, ["2-99"])
    (retried,) = read_all(settings, build_topics(settings).events.name)
    assert (retried.partition, retried.value) == (2, b"value 2")
    unchosen = run(settings, "dead-letters", "drop")
    assert (unchosen.returncode, unchosen.stdout) == (2, "")


def test_a_letter_that_lacks_a_part_of_its_record_is_not_sent(settings: Settings) -> None:
    name = build_topics(settings).events.name
    bad = [
        Rec(name, 0, 1, value=b"x" * 1_000_001),
        Rec(name, 0, 2, key=b"k" * 10_001),
        Rec("another topic", 0, 3),
        Rec(name, 4, 4),
    ]
    put_aside(settings, bad)
    ended = run(settings, "dead-letters", "retry", "--json")
    refused = json.loads(ended.stdout)["refused"]
    assert (ended.returncode, len(refused)) == (1, 4)
    assert Counter(one["why"] for one in refused)["the letter holds only a part of the record"] == 2
    assert read_all(settings, name) == []
    assert len(shown(settings)) == 4


def test_what_is_in_a_letter_cannot_steer_the_terminal(settings: Settings) -> None:
    evil = b"\x1b[2J\x07\xc2\x9b31m[red]\xff\r\n\x00"
    put_aside(
        settings, [Rec(build_topics(settings).events.name, 0, 1, key=evil, value=evil, headers=(("\x1b", evil),))]
    )
    for arguments in (["show"], ["show", "0-0"], ["show", "--json"]):
        ended = run(settings, "dead-letters", *arguments)
        assert ended.returncode == 0, ended.stderr
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", ended.stdout)
    (one,) = shown(settings)
    assert one["value_base64"]


def test_two_retries_at_once_send_each_record_once(settings: Settings, tmp_path: Path) -> None:
    count = 1_500
    put_aside(settings, records(settings, count))
    commands = [_retrying(settings, tmp_path / f"{n}.log") for n in range(2)]
    for command in commands:
        assert command.wait(60) in {0, 3, 4}
    assert run(settings, "dead-letters", "retry").returncode == 0
    _check_each_once(settings, count)


def test_a_killed_retry_goes_on_where_it_was(settings: Settings, tmp_path: Path) -> None:
    count = 20_000
    put_aside(settings, records(settings, count))
    topic = build_topics(settings).events
    for most in (0, count // 2):
        command = _retrying(settings, tmp_path / "retry.log")
        wait_until(lambda most=most: sum(ends_of(settings, topic, range(4))) > most, "the first records")  # type: ignore[misc]
        command.kill(signal.SIGKILL)
        command.wait()
    assert run(settings, "dead-letters", "retry").returncode == 0
    _check_each_once(settings, count)


def _retrying(settings: Settings, log: Path) -> Supervised:
    return Supervised([*COMMAND, "dead-letters", "retry"], environment(settings), log)


def _check_each_once(settings: Settings, count: int) -> None:
    sent = Counter(record.value for record in read_all(settings, build_topics(settings).events.name))
    assert sent == {b"value %d" % n: 1 for n in range(count)}
    assert shown(settings) == []


def test_too_high_a_share_of_bad_records_stops_the_worker(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    good = json.dumps({"user_id": "u", "item_id": "i", "event_type": "view"}).encode()
    send(settings, topics.events, [(b"u", value) for _ in range(40) for value in (good, b"{", b"{")])
    limits = {"PROFILESTREAM_DEAD_LETTERS_SHARE": "0.6", "PROFILESTREAM_DEAD_LETTERS_WINDOW": "100"}
    with cluster(settings, tmp_path) as workers:
        worker = workers.start("profiles", restart=False, **limits)
        try:
            assert worker.wait(120) == 1
        except subprocess.TimeoutExpired:
            pytest.fail(worker.tail())
    assert "60% of the newest 100 records or more are bad" in worker.text()
    assert "PROFILESTREAM_DEAD_LETTERS_SHARE" in worker.text()
    assert "profilestream dead-letters show" in worker.text()
    assert len(read_all(settings, topics.dead_letters.name)) == 80
