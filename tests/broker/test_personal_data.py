"""Export, and ids that leave the commands as pseudonyms, on a real Kafka with workers."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.pseudonyms import pseudonym
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.support import (
    Cluster,
    Supervised,
    broker_settings,
    cluster,
    drained,
    environment,
    newest,
    read_all,
    send,
)
from tests.broker.test_commands import COMMAND, TIMEOUT_S, answer, run

pytestmark = pytest.mark.broker

SECRET = "a key for tests of pseudonyms"
USERS = ("ana", "bob")


@pytest.fixture(scope="module")
def workers(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Workers that have absorbed the same file twice: with ids as they are, and with pseudonyms."""
    folder = tmp_path_factory.mktemp("personal")
    settings = broker_settings(kafka, f"personal-{uuid.uuid4().hex[:8]}-", folder / "data", gather_s=0.1)
    assert run(settings, "topics", "create").returncode == 0
    events = folder / "events.csv"
    rows = [f"{user},i{n},{1_700_000_000 + n}\n" for user in USERS for n in range(3)]
    events.write_text("user_id,item_id,timestamp\n" + "".join(rows))
    with cluster(settings, folder) as made:
        for kind in ("profiles", "scorer", "evaluation"):
            made.start(kind)
        assert run(settings, "replay", str(events)).returncode == 0
        assert run(hidden(settings), "replay", str(events)).returncode == 0
        topics = build_topics(settings)
        for kind, topic in (("profiles", topics.events), ("scorer", topics.candidates)):
            made.wait_until(lambda k=kind, t=topic: drained(settings, k, t), f"the end of {topic.name}")  # type: ignore[misc]
        for kind in ("profiles", "evaluation"):
            made.wait_until(lambda k=kind: drained(settings, k, topics.recommendations), "the lists")  # type: ignore[misc]
        made.wait_until(lambda: drained(settings, "evaluation", topics.events), "the events")
        yield made


def hidden(settings: Settings) -> Settings:
    """The same settings with a key for pseudonyms."""
    return settings.model_copy(update={"pseudonym_key": type(settings.pseudonym_key)(SECRET)})


def exported(settings: Settings, *arguments: str) -> dict[str, Any]:
    ended = run(settings, "export", *arguments)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_an_export_holds_the_profile_and_the_user_s_records_alone(workers: Cluster, tmp_path: Path) -> None:
    settings, topics = workers.settings, build_topics(workers.settings)
    send(
        settings,
        topics.users,
        [(b"ana", b'{"user_id": "ana", "interests": ["tea"]}'), (b"ana", b"\xff"), (b"ana", b"{")],
    )
    listed = answer(settings, "request", "ana", "--k", "1")
    workers.wait_until(lambda: drained(settings, "profiles", topics.users), "the declaration")
    file = tmp_path / "ana.json"
    ended = run(settings, "export", "ana", "--output", str(file))
    assert (ended.returncode, ended.stdout) == (0, "")
    found = json.loads(file.read_text())
    assert found["user_id"] == "ana"
    assert found["erased_at"] is None
    assert [one["item_id"] for one in found["profile"]["history"]] == ["i0", "i1", "i2"]
    assert found["profile"]["history"][2] == {
        "item_id": "i2",
        "last_at": 1_700_000_002,
        "strength": 5.0,
        "rated": False,
    }
    assert found["profile"]["declared"] == ["tea"]
    flight = found["profile"]["lists"][-1]
    assert [set(one) >= {"popular"} for one in flight["features"]] == [True] * len(flight["items"])
    assert len(found["live_evaluation"]["history"]) == 3
    assert found["live_evaluation"]["counts"]["default"]["all"][0] >= 1
    records = found["records"]
    assert [one["value"]["item_id"] for one in records[topics.events.name]] == ["i0", "i1", "i2"]
    declared = [set(one) - {"partition", "offset", "timestamp"} for one in records[topics.users.name]]
    assert declared == [{"value"}, {"value_base64"}, {"value_text"}]
    assert [one["value"]["request_id"] for one in records[topics.requests.name]] == [listed["request_id"]]
    lists = [one["value"] for one in records[topics.recommendations.name]]
    assert listed in lists
    assert {one["user_id"] for one in lists} == {"ana"}
    assert set(records) == {
        topic.name for topic in (topics.events, topics.users, topics.requests, topics.recommendations, topics.outcomes)
    }


def test_an_event_in_a_wrong_partition_is_exported_too(workers: Cluster) -> None:
    settings, topics = workers.settings, build_topics(workers.settings)
    producer = plain_producer(settings)
    value = b'{"user_id": "eve", "item_id": "i1", "event_type": "view"}'
    for partition in range(4):
        producer.produce(topics.events.name, value, b"eve", partition)
    producer.flush()
    workers.wait_until(lambda: drained(settings, "profiles", topics.events), "the events")
    records = exported(settings, "eve")["records"][topics.events.name]
    assert {one["partition"] for one in records} == set(range(4))
    assert len(records) == 4 + 3  # as they came, and forwarded


def test_the_profile_alone_and_nobody(workers: Cluster) -> None:
    settings = workers.settings
    found = exported(settings, "bob", "--profile-only")
    assert "records" not in found
    assert len(found["profile"]["history"]) == 3
    ended = run(settings, "export", "nobody")
    assert ended.returncode == 1
    nothing = json.loads(ended.stdout)
    assert nothing["profile"] is None
    assert nothing["live_evaluation"] is None
    assert not any(nothing["records"].values())


def test_commands_know_users_by_their_pseudonyms_only(workers: Cluster) -> None:
    settings = hidden(workers.settings)
    topics = build_topics(settings)
    name = pseudonym(SECRET.encode(), "bob")
    held = answer(settings, "profile", "bob")
    assert list(held["contacts"]) == ["i0", "i1", "i2"]
    assert held == answer(workers.settings, "profile", name)
    listed = answer(settings, "request", "bob")
    assert listed["user_id"] == name
    found = exported(settings, "bob")
    assert found["user_id"] == name
    assert listed in [one["value"] for one in found["records"][topics.recommendations.name]]
    told = answer(settings, "forget", "bob")
    assert told["user_id"] == name
    assert run(settings, "profile", "bob").returncode == 1
    assert run(workers.settings, "profile", name).returncode == 1
    assert list(answer(workers.settings, "profile", "bob")["contacts"]) == ["i0", "i1", "i2"]
    keys = {record.key for topic in topics.all() for record in read_all(settings, topic.name) if record.key}
    assert name.encode() in keys


def test_watching_a_user_shows_the_pseudonym_s_lists(workers: Cluster, tmp_path: Path) -> None:
    settings = hidden(workers.settings)
    watching = Supervised(
        [*COMMAND, "watch", "cleo", "--count", "1", "--json"], environment(settings), tmp_path / "log"
    )
    try:
        for _ in range(30):  # it sees lists from the moment on when it reads
            if watching.process.poll() is not None:
                break
            answer(settings, "request", "bob")
            answer(settings, "request", "cleo")
        assert watching.wait(TIMEOUT_S) == 0
    finally:
        watching.stop()
    assert json.loads(watching.text())["user_id"] == pseudonym(SECRET.encode(), "cleo")


def test_without_a_worker_an_erasure_waits_in_the_log(kafka: str, unique: str, tmp_path: Path) -> None:
    settings = broker_settings(kafka, unique, tmp_path / "data")
    assert run(settings, "topics", "create").returncode == 0
    ended = run(settings, "forget", "ana", "--timeout", "1")
    assert ended.returncode == 4
    assert "profilestream worker profiles" in ended.stderr
    (record,) = read_all(settings, build_topics(settings).users.name)
    assert (record.key, record.value) == (b"ana", None)


def test_forget_says_that_live_evaluation_has_not_done_it(kafka: str, unique: str, tmp_path: Path) -> None:
    settings = broker_settings(kafka, unique, tmp_path / "data")
    assert run(settings, "topics", "create").returncode == 0
    topics = build_topics(settings)
    with cluster(settings, tmp_path) as made:
        made.start("profiles")
        evaluation = made.start("evaluation")
        send(settings, topics.events, [(b"ana", b'{"user_id": "ana", "item_id": "i1", "event_type": "view"}')])
        made.wait_until(lambda: drained(settings, "evaluation", topics.events), "the event")
        made.workers.remove(evaluation)
        evaluation.stop()
        ended = run(settings, "forget", "ana", "--json")
        assert ended.returncode == 4
        assert json.loads(ended.stdout)["waits"][0]["topic"] == topics.live_changelog.name
        assert "profilestream worker evaluation" in ended.stderr
        made.start("evaluation")
        made.wait_until(lambda: drained(settings, "evaluation", topics.users), "the erasure")
        assert answer(settings, "forget", "ana")["waits"] == []
    assert b"ana" not in {key for _, key in newest(read_all(settings, topics.live_changelog.name))}


def test_an_id_that_cannot_be_one_is_not_sent(kafka: str, unique: str, tmp_path: Path) -> None:
    settings = broker_settings(kafka, unique, tmp_path / "data")
    assert run(settings, "topics", "create").returncode == 0
    for user in ("", "a\nb", "x" * 300):
        ended = run(settings, "forget", user)
        assert ended.returncode == 1, ended.stderr
        assert "Traceback" not in ended.stderr
    assert read_all(settings, build_topics(settings).users.name) == []
