"""After a backlog: state is kept up, lists are made for what is fresh, and what is too old is counted once."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.packed import PROFILE
from agents.partition import partition_of
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import Topics, build_topics
from agents.verify.audit import audit
from tests.broker.support import broker_settings, cluster, drained, newest, read_all, send, wait_until_drained

pytestmark = pytest.mark.broker

HOUR_MS = 3_600_000
USERS, EACH = 40, 5


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data", trigger_max_age_s=600, gather_s=0.1)
    create_topics(made)
    return made


def buy(user: str, item: int) -> tuple[bytes, bytes]:
    return user.encode(), json.dumps({"user_id": user, "event_type": "purchase", "item_id": f"i{item}"}).encode()


def send_old(settings: Settings, topics: Topics, records: list[tuple[bytes, bytes]]) -> None:
    """Events that were sent an hour ago."""
    producer = plain_producer(settings)
    then = time.time_ns() // 1_000_000 - HOUR_MS
    for key, value in records:
        partition = partition_of(key, topics.events.partitions)
        producer.produce(topics.events.name, value, key, partition, timestamp=then)
    assert producer.flush(30) == 0


def answers(settings: Settings, topics: Topics) -> tuple[Counter[str], Counter[str]]:
    """Triggers answered by lists, and those that were too old."""
    lists = [json.loads(record.value or b"") for record in read_all(settings, topics.recommendations.name)]
    outcomes = [json.loads(record.value or b"") for record in read_all(settings, topics.outcomes.name)]
    stale = Counter(trigger for one in outcomes if one["outcome"] == "stale" for trigger in one["triggers"])
    return Counter(trigger for one in lists for trigger in one["triggers"]), stale


def users_of(settings: Settings, topics: Topics, triggers: Counter[str]) -> set[str]:
    users = {
        f"{record.topic}-{record.partition}-{record.offset}": (record.key or b"").decode()
        for record in read_all(settings, topics.events.name)
    }
    return {users[trigger] for trigger in triggers}


def test_old_events_update_profiles_but_get_no_list(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    old = [buy(f"old{user}", item) for user in range(USERS) for item in range(EACH)]
    send_old(settings, topics, old)
    fresh = [buy(f"fresh{user}", item) for user in range(USERS) for item in range(EACH)]
    send(settings, topics.events, fresh)
    request = json.dumps({"user_id": "old1", "request_id": "r"}).encode()
    send(settings, topics.requests, [(b"old1", request)])
    with cluster(settings, tmp_path) as workers:
        for kind in ("profiles", "similarity", "scorer"):
            workers.start(kind)
        wait_until_drained(workers, topics)
        workers.wait_until(lambda: bool(answers(settings, topics)[0]), "a list")
        report = audit(settings)
    lists, stale = answers(settings, topics)
    of_events = Counter({trigger: n for trigger, n in lists.items() if trigger.startswith(topics.events.name)})
    assert set((of_events + stale).values()) == {1}
    assert len(stale) == len(old)
    assert users_of(settings, topics, stale) == {f"old{user}" for user in range(USERS)}
    assert users_of(settings, topics, of_events) == {f"fresh{user}" for user in range(USERS)}
    assert len(lists) - len(of_events) == 1  # a request has a deadline of its own
    rows = newest(read_all(settings, topics.profiles_changelog.name))
    assert all(len(PROFILE.read(value).contacts) == EACH for value in rows.values())
    assert len(rows) == 2 * USERS
    assert [one for part in report.parts for one in part.differences] == []


def test_lists_that_waited_too_long_for_the_scorer_are_counted_there(kafka: str, unique: str, tmp_path: Path) -> None:
    settings = broker_settings(kafka, unique, tmp_path / "data", trigger_max_age_s=20)
    create_topics(settings)
    topics = build_topics(settings)
    with cluster(settings, tmp_path) as workers:
        profiles = workers.start("profiles")
        workers.wait_until(lambda: "works on partitions" in profiles.text(), "the profiles worker")
        send(settings, topics.events, [buy(f"u{user}", 1) for user in range(USERS)])
        late = time.monotonic() + settings.trigger_max_age_s
        workers.wait_until(lambda: drained(settings, "profiles", topics.events), "candidates")
        asked = len(read_all(settings, topics.candidates.name))
        workers.wait_until(lambda: time.monotonic() > late, "their age")
        workers.start("scorer")
        workers.wait_until(lambda: sum(answers(settings, topics)[1].values()) == USERS, "stale outcomes")
        assert asked > 0
        assert not answers(settings, topics)[0]

        def answered() -> bool:  # one that is late again gets no list
            send(settings, topics.events, [buy("u1", 2)])
            return bool(answers(settings, topics)[0])

        workers.wait_until(answered, "a list for a fresh event")
