"""The whole pipeline on a real Kafka, with workers killed: everything equals a plain replay, nothing lost or doubled.

events ─► profiles 1, 2 ─► cooccurrence ─► similarity ─► neighbours
requests ─┘  ✂ SIGKILL └─► candidates ─► scorer ─► recommendations    ✂ SIGKILL
                       └─► recommendations, where profiles workers make the lists
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agents import sample
from agents.admin import create_topics
from agents.replay import send_catalogue
from agents.settings import Settings
from agents.topics import Topics, build_topics
from tests.broker.comparison import differences, wait_for_neighbours, wait_until_settled
from tests.broker.ledger import read_ledger
from tests.broker.support import absorbed, broker_settings, cluster, read_all, send

REQUESTS = 200
TOO_SHORT_MS = 1
KILL_PROFILES_AT, KILL_SIMILARITY_AT = 12_000, 25_000
CHUNK = 5_000


@pytest.fixture(params=["scorer", "profiles"])
def settings(kafka: str, unique: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    return broker_settings(
        kafka,
        unique,
        tmp_path / "data",
        row_neighbours=0,
        neighbours_published=50,
        rows_published_per_s=20_000,
        max_batch_records=3_000,
        lists_by=request.param,
    )


def events_and_faults() -> tuple[list[tuple[bytes, bytes]], list[dict[str, str]]]:
    """The sample's events with a broken record after every thousandth: records, good events."""
    good = list(sample.events())
    records: list[tuple[bytes, bytes]] = []
    for number, event in enumerate(good):
        key = event["user_id"].encode()
        records.append((key, json.dumps(event).encode()))
        if number % 1_000 == 0:
            records.append((key, b'{"user_id": broken'))
    return records, good


def requests(users: list[str]) -> list[tuple[bytes, bytes]]:
    """Requests with ids; every tenth wants its list at once and will not get it."""
    made = []
    for number in range(REQUESTS):
        request = {"user_id": users[number % len(users)], "request_id": f"r{number}", "k": 5}
        if number % 10 == 0:
            request["deadline_ms"] = TOO_SHORT_MS
        made.append((str(request["user_id"]).encode(), json.dumps(request).encode()))
    return made


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everything_equals_a_plain_replay_although_workers_are_killed(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    create_topics(settings)
    send_catalogue(settings, sample.items())
    records, good = events_and_faults()
    asked = requests(sorted({event["user_id"] for event in good}))
    with cluster(settings, tmp_path) as workers:
        if settings.lists_by == "scorer":
            workers.start("scorer")
        similarity = workers.start("similarity")
        first, _ = workers.start("profiles", "1"), workers.start("profiles", "2")
        kills: list[tuple[int, Callable[[], None]]] = [
            (KILL_PROFILES_AT, first.kill),
            (KILL_SIMILARITY_AT, similarity.kill),
        ]
        for begin in range(0, len(records), CHUNK):
            send(settings, topics.events, records[begin : begin + CHUNK])
            share = slice(begin * REQUESTS // len(records), (begin + CHUNK) * REQUESTS // len(records))
            send(settings, topics.requests, asked[share])
            while kills and begin + CHUNK >= kills[0][0]:
                at, kill = kills.pop(0)
                workers.wait_until(lambda at=at: _count(settings, topics) >= at, f"event {at}", 120)  # type: ignore[misc]
                kill()
        wait_until_settled(workers, settings)
        assert first.starts > 1
        assert similarity.starts > 1
        ledger = read_ledger(settings)
        wait_for_neighbours(workers, settings, ledger)
    assert (ledger.events, len(ledger.bad)) == (len(good), len(records) - len(good))
    assert len(ledger.requests) == REQUESTS
    assert differences(settings, ledger) == []
    assert _expired(settings, topics), "no request expired, although some could not be answered in time"


def _count(settings: Settings, topics: Topics) -> int:
    return sum(absorbed(settings, "profiles", topics.events).values())


def _expired(settings: Settings, topics: Topics) -> list[bytes]:
    values = [record.value or b"" for record in read_all(settings, topics.outcomes.name)]
    return [value for value in values if json.loads(value)["outcome"] == "expired"]
