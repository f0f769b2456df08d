"""New items on a real Kafka: shown, what came of it counted once although the learner is killed, and shown no more."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from agents.admin import create_topics
from agents.exposure import BYTES_AN_ITEM, EXPOSURE, MOST_BYTES, Exposure, read_exposure
from agents.ranker import read_version
from agents.records import Event, Item, Outcome, Request, encode_json, read_outcome
from agents.settings import Settings
from agents.topics import Topics, build_topics
from models.exposure import Counts, after, counted
from models.pool import EXPLORE
from tests.broker.support import Cluster, broker_settings, cluster, drained, read_all, send

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

KNOWN, NEW = [f"known{n}" for n in range(12)], ["new0", "new1"]
IMPRESSIONS = 4
CHANGED: dict[str, Any] = {
    "explore_slots": 2,
    "explore_impressions": IMPRESSIONS,
    "attribution_events": 1,
    "lists_in_flight": 1,
    "trigger_types": (),
    "learn_every_s": 0.0,
}
USERS = [f"u{n}" for n in range(4)]


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data", **CHANGED)
    create_topics(made)
    return made


def bought(user: str, item: str) -> tuple[bytes, bytes]:
    return user.encode(), encode_json(Event(user, "purchase", item))


def lists(settings: Settings, topics: Topics) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in read_all(settings, topics.recommendations.name)]


def explored(one: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in one["items"] if item["sources"] == {EXPLORE: 1.0}]


def exposure(settings: Settings, topics: Topics) -> Exposure:
    values = [record.value for record in read_all(settings, topics.models.name) if record.key == EXPOSURE]
    return read_exposure(read_version(EXPOSURE, values[-1] or b"")) if values else Exposure()


def folded(settings: Settings, topics: Topics) -> Counts:
    """Counts of all outcomes there are; those of an item are of one partition each, so that the order is nothing."""
    outcomes: list[Outcome] = [read_outcome(record.value) for record in read_all(settings, topics.outcomes.name)]
    found = [counted(one.outcome, one.source, one.item_id) for one in outcomes]
    return after({}, [one for one in found if one is not None], MOST_BYTES, BYTES_AN_ITEM)


def ask_all(workers: Cluster, topics: Topics, number: int) -> None:
    """A list for each user, and then an event of each, which closes it."""
    settings = workers.settings
    before = len(lists(settings, topics))
    send(settings, topics.requests, [(user.encode(), encode_json(Request(user, k=10))) for user in USERS])
    workers.wait_until(lambda: len(lists(settings, topics)) == before + len(USERS), f"lists {number}")
    workers.wait_until(lambda: drained(settings, "profiles", topics.recommendations), f"lists {number} in flight")
    send(settings, topics.events, [bought(user, KNOWN[number % len(KNOWN)]) for user in USERS])
    workers.wait_until(lambda: drained(settings, "profiles", topics.events), f"events {number}")


def test_new_items_are_shown_until_they_are_known_and_each_place_counts_once(
    settings: Settings, tmp_path: Path
) -> None:
    topics, known = build_topics(settings), {item.encode() for item in KNOWN}
    send(settings, topics.items, [(item.encode(), encode_json(Item(item, title=item))) for item in (*KNOWN, *NEW)])
    send(settings, topics.events, [bought(f"v{n}-{item}", item) for item in KNOWN for n in range(2)])
    with cluster(settings, tmp_path) as workers:
        learner = workers.start("learner")
        for kind in ("profiles", "similarity"):
            workers.start(kind)
        neighbours = topics.neighbours.name
        workers.wait_until(lambda: {one.key for one in read_all(settings, neighbours)} >= known, "the neighbours")
        workers.start("scorer")
        for number in range(6):
            ask_all(workers, topics, number)
            if number == 1:
                workers.wait_until(lambda: bool(exposure(settings, topics).counts), "the first counts")
                learner.kill()
                learner.wait()
        workers.wait_until(lambda: drained(settings, "learner", topics.outcomes), "the last outcome")
        assert learner.codes.count(-signal.SIGKILL) == 1
        counts = exposure(settings, topics).counts
        assert dict(counts) == dict(folded(settings, topics))
        assert set(counts) == set(NEW)
        assert min(map(sum, counts.values())) >= IMPRESSIONS
        ask_all(workers, topics, 6)
    made = lists(settings, topics)
    assert set(explored(made[0])) == set(NEW)
    assert not any(map(explored, made[-len(USERS) :])), "they are new no more"
