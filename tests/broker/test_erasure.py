"""A user is forgotten on a real Kafka: the rest is a world without that user, and nothing old brings the user back."""

import json
import random
import shutil
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.erasures import erasure_key
from agents.packed import ERASURE, PROFILE
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import Topics, build_topics
from models.profile import Profile
from tests.broker.reference import Reference
from tests.broker.rows import co_counts
from tests.broker.support import Cluster, broker_settings, cluster, drained, newest, read_all, send
from tests.broker.test_commands import answer, run
from tests.conftest import free_port

pytestmark = pytest.mark.broker

USERS, ITEMS, EVENTS = 25, 15, 600
GONE = "u7"


@dataclass
class World:
    """Workers that have absorbed `events`."""

    workers: Cluster
    port: int
    events: list[dict[str, str]]

    @property
    def settings(self) -> Settings:
        return self.workers.settings

    @property
    def topics(self) -> Topics:
        return build_topics(self.settings)

    def settle(self) -> None:
        """Wait until every worker has absorbed all that there is, in the order in which one causes the other."""
        settings, topics = self.settings, self.topics
        for worker, topic in (
            ("profiles", topics.users),
            ("profiles", topics.events),
            ("profiles", topics.requests),
            ("scorer", topics.candidates),
            ("profiles", topics.recommendations),
            ("similarity", topics.cooccurrence),
        ):
            self.workers.wait_until(lambda w=worker, t=topic: drained(settings, w, t), f"the end of {topic.name}")  # type: ignore[misc]

    def act(self, user: str, item: str, timestamp_ms: int = 0, event_type: str = "purchase") -> None:
        """Send one event, with a Kafka time (0: now)."""
        event = {"user_id": user, "item_id": item, "event_type": event_type}
        producer = plain_producer(self.settings)
        producer.produce(self.topics.events.name, json.dumps(event).encode(), user.encode(), timestamp=timestamp_ms)
        assert producer.flush(30) == 0

    def declare(self, user: str, **fields: object) -> None:
        """Send a declaration."""
        record = json.dumps({"user_id": user, **fields}).encode()
        send(self.settings, self.topics.users, [(user.encode(), record)])

    def profile(self, user: str) -> Profile | None:
        """The committed profile."""
        rows = newest(read_all(self.settings, self.topics.profiles_changelog.name))
        found = [value for (_, key), value in rows.items() if key == user.encode()]
        return PROFILE.read(found[0]) if found else None

    def metric(self, name: str) -> float:
        """Sum of a metric of the profiles worker, whose line begins with `name`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"profilestream_{name}"))

    def wait_for_metric(self, name: str, value: float) -> None:
        """A worker counts after its commit: wait until it has."""
        self.workers.wait_until(lambda: self.metric(name) == value, f"{name} {value:g}")


def replay(events: Iterable[dict[str, str]]) -> Reference:
    """What these events come to."""
    reference = Reference()
    for event in events:
        reference.absorb(event["user_id"], event["item_id"], event["event_type"])
    return reference


def check_co_counts(world: World, reference: Reference) -> None:
    pairs, users = reference.co_counts()
    assert co_counts(world.settings) == (pairs, users)


@pytest.fixture
def world(kafka: str, unique: str, tmp_path: Path) -> Iterator[World]:
    settings = broker_settings(kafka, unique, tmp_path / "data", row_neighbours=0, gather_s=0.1)
    create_topics(settings)
    chance = random.Random(3)
    events = [
        {"user_id": f"u{chance.randrange(USERS)}", "item_id": f"i{chance.randrange(ITEMS)}", "event_type": "purchase"}
        for _ in range(EVENTS)
    ]
    topics = build_topics(settings)
    items = [
        (f"i{n}".encode(), json.dumps({"item_id": f"i{n}", "title": f"Mug {n}", "added_at": 1_000 + n}).encode())
        for n in range(ITEMS + 5)
    ]
    send(settings, topics.items, items)
    send(settings, topics.events, [(event["user_id"].encode(), json.dumps(event).encode()) for event in events])
    port = free_port()
    with cluster(settings, tmp_path) as workers:
        workers.start("profiles", PROFILESTREAM_HTTP_PORT=str(port))
        workers.start("similarity")
        workers.start("scorer")
        made = World(workers, port, events)
        made.settle()
        yield made


def test_after_erasure_all_is_as_if_the_user_had_never_come(world: World) -> None:
    settings = world.settings
    before = int(time.time() * 1000)
    check_co_counts(world, replay(world.events))
    assert run(settings, "profile", GONE).returncode == 0
    world.act(GONE, "i1")  # its list may be made after the erasure
    world.workers.wait_until(lambda: drained(settings, "profiles", world.topics.events), "the newest event")
    told = answer(settings, "forget", GONE)
    assert (told["gone"], told["soon"]) == (["profile"], ["share of the co-counts and neighbours"])
    assert before <= told["erased_at"] * 1000 <= time.time() * 1000
    assert {one["topic"] for one in told["later"]} >= {world.topics.events.name, world.topics.profiles_changelog.name}
    assert all(one["seconds"] >= 86_400 for one in told["later"])
    assert run(settings, "profile", GONE).returncode == 1
    world.settle()
    without = [event for event in world.events if event["user_id"] != GONE]
    check_co_counts(world, replay(without))
    assert world.profile(GONE) is None

    # Older records come late: an event, a request, and an event that was forwarded.
    world.act(GONE, "i2", timestamp_ms=before)
    producer = plain_producer(settings)
    request = json.dumps({"user_id": GONE, "request_id": "old"}).encode()
    producer.produce(world.topics.requests.name, request, GONE.encode(), timestamp=before)
    producer.flush()
    world.settle()
    assert world.profile(GONE) is None
    for topic in (world.topics.events, world.topics.requests):
        world.wait_for_metric(f'ignored_total{{reason="before_erasure",topic="{topic.name}"}}', 1)
    outcomes = [json.loads(record.value or b"{}") for record in read_all(settings, world.topics.outcomes.name)]
    assert [one["outcome"] for one in outcomes if one["request_id"] == "old"] == ["expired"]

    # The worker loses its disk: the erasure comes back from the changelog, which does not name the user.
    worker = world.workers.workers[0]
    worker.kill()
    worker.wait()
    shutil.rmtree(settings.data_dir / f"{settings.topic_prefix}profiles-1")
    world.act(GONE, "i3", timestamp_ms=before)
    world.workers.wait_until(lambda: drained(settings, "profiles", world.topics.events), "the old event")
    assert world.profile(GONE) is None
    rows = newest(read_all(settings, world.topics.profiles_changelog.name))
    ((_, erasure),) = [(key, value) for key, value in rows.items() if key[1] == erasure_key(GONE.encode())]
    assert ERASURE.read(erasure).at_ms == round(told["erased_at"] * 1000)
    assert not [key for _, key in rows if GONE.encode() == key]

    # What is newer begins a new profile.
    world.act(GONE, "i4")
    world.act(GONE, "i5")
    world.settle()
    profile = world.profile(GONE)
    assert profile is not None
    assert list(profile.contacts) == ["i4", "i5"]
    new = [{"user_id": GONE, "item_id": item, "event_type": "purchase"} for item in ("i4", "i5")]
    check_co_counts(world, replay([*without, *new]))


def test_without_consent_there_is_no_profile_and_lists_are_popular_and_fresh(world: World) -> None:
    settings, out = world.settings, "u3"
    world.declare(out, consent=False, attributes={"age": "25-34"})
    world.settle()
    without = [event for event in world.events if event["user_id"] != out]
    check_co_counts(world, replay(without))
    assert world.profile(out) == Profile(consent=False)

    for item in ("i1", "i2", "i3"):
        world.act(out, item)
    context = answer(settings, "request", out, "--item", "i1", "--query", "mug", "--k", "15")
    world.settle()
    assert world.profile(out) == Profile(consent=False)
    check_co_counts(world, replay(without))
    world.wait_for_metric(f'ignored_total{{reason="no_consent",topic="{world.topics.events.name}"}}', 3)
    lists = [json.loads(record.value or b"{}") for record in read_all(settings, world.topics.recommendations.name)]
    of_event = [one for one in lists if one["user_id"] == out][-1]
    for one in (context, of_event):
        assert one["items"]
        assert {source for item in one["items"] for source in item["sources"]} == {"popular", "fresh"}
        assert {item["because"] for item in one["items"]} == {None}
    assert "i1" not in [item["item_id"] for item in context["items"]]
    assert f"i{ITEMS + 4}" in [item["item_id"] for item in context["items"]]  # the newest one, which nobody bought

    world.declare(out, consent=True)
    world.settle()
    assert world.profile(out) is None
    for item in ("i8", "i9"):
        world.act(out, item)
    world.settle()
    profile = world.profile(out)
    assert profile is not None
    assert list(profile.contacts) == ["i8", "i9"]
    new = [{"user_id": out, "item_id": item, "event_type": "purchase"} for item in ("i8", "i9")]
    check_co_counts(world, replay([*without, *new]))
