"""The whole pipeline on a real Kafka, with workers killed: everything equals a plain replay, nothing lost or doubled.

events ─► profiles 1, 2 ─► cooccurrence ─► similarity ─► neighbours
requests ─┘  ✂ SIGKILL └─► candidates ─► scorer ─► recommendations    ✂ SIGKILL
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agents import sample
from agents.admin import create_topics
from agents.packed import NEIGHBOURS, PROFILE, ROW_BODY, ROW_HEAD, Neighbours, unpack_floats, unpack_ints
from agents.replay import send_catalogue
from agents.settings import Settings
from agents.topics import Topics, build_topics
from models.profile import unpack_contact
from tests.broker.reference import Reference, co_weights, largest, replay
from tests.broker.support import Cluster, absorbed, broker_settings, cluster, drained, newest, read_all, send

REQUESTS = 200
TOO_SHORT_MS = 1
KILL_PROFILES_AT, KILL_SIMILARITY_AT = 12_000, 25_000
CHUNK = 5_000
PUBLISHED = 50


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    return broker_settings(
        kafka,
        unique,
        tmp_path / "data",
        row_neighbours=0,
        neighbours_published=PUBLISHED,
        rows_published_per_s=20_000,
        max_batch_records=3_000,
    )


def events_and_faults() -> tuple[list[tuple[bytes, bytes]], list[dict[str, str]], int]:
    """The sample's events with a broken record after every thousandth: records, good events, number of bad ones."""
    good = list(sample.events())
    records: list[tuple[bytes, bytes]] = []
    for number, event in enumerate(good):
        key = event["user_id"].encode()
        records.append((key, json.dumps(event).encode()))
        if number % 1_000 == 0:
            records.append((key, b'{"user_id": broken'))
    return records, good, len(records) - len(good)


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
    records, good, bad = events_and_faults()
    asked = requests(sorted({event["user_id"] for event in good}))
    with cluster(settings, tmp_path) as workers:
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
        workers.wait_until(lambda: _count(settings, topics) >= len(records), "the last event", 180)
        _wait_until_drained(workers, topics)
        assert first.starts > 1
        assert similarity.starts > 1
        reference = replay(good)
        pairs, users = reference.co_counts()
        weights = co_weights(pairs)
        workers.wait_until(lambda: _neighbours_equal(settings, topics, weights), "neighbours as recomputed", 120)
    _check_histories(settings, topics, reference)
    _check_item_rows(settings, topics, pairs, users, reference)
    _check_dead_letters(settings, topics, bad)
    _check_lists(settings, topics, len(good))


def _count(settings: Settings, topics: Topics) -> int:
    return sum(absorbed(settings, "profiles", topics.events).values())


def _wait_until_drained(workers: Cluster, topics: Topics) -> None:
    settings = workers.settings
    for worker, topic in (
        ("profiles", topics.requests),
        ("scorer", topics.candidates),
        ("profiles", topics.recommendations),
        ("similarity", topics.cooccurrence),
    ):
        workers.wait_until(lambda w=worker, t=topic: drained(settings, w, t), f"the end of {topic.name}", 120)  # type: ignore[misc]


def _check_histories(settings: Settings, topics: Topics, reference: Reference) -> None:
    rows = newest(read_all(settings, topics.profiles_changelog.name))
    held = {key.decode(): PROFILE.read(value) for (_, key), value in rows.items()}
    assert held.keys() == reference.histories.keys()
    for user, history in reference.histories.items():
        found = {item: unpack_contact(contact)[1] for item, contact in held[user].contacts.items()}
        assert list(found.items()) == list(history.items()), user


def _check_item_rows(
    settings: Settings, topics: Topics, pairs: object, users: Counter[str], reference: Reference
) -> None:
    rows = newest(read_all(settings, topics.item_rows_changelog.name))
    names = {(p, key[1:]): value.decode() for (p, key), value in rows.items() if key[:1] == b"d"}
    found = {}
    for (partition, key), value in rows.items():
        if key[:1] != b"b":
            continue
        body = ROW_BODY.read(value)
        cols = np.cumsum(unpack_ints(body.cols), dtype=np.int64).tolist()
        near = [names[partition, col.to_bytes(4, "big")] for col in cols]
        counts = zip(unpack_ints(body.g).tolist(), unpack_ints(body.c).tolist(), strict=True)
        found[names[partition, key[1:]]] = dict(zip(near, counts, strict=True))
    assert found == pairs
    heads = {
        names[partition, key[1:]]: ROW_HEAD.read(value) for (partition, key), value in rows.items() if key[:1] == b"h"
    }
    assert {item: head.users for item, head in heads.items()} == users
    assert {item: head.events for item, head in heads.items()} == reference.popularity
    assert not any(head.dirty for head in heads.values())


def _neighbours_equal(settings: Settings, topics: Topics, weights: dict[str, dict[str, float]]) -> bool:
    """Whether every item's published neighbours are the strongest by the recomputed weights."""
    rows = newest(read_all(settings, topics.neighbours.name))
    published = {key.decode(): NEIGHBOURS.read(value) for (_, key), value in rows.items()}
    return all(item in published and _row_equals(published[item], near) for item, near in weights.items())


def _row_equals(row: Neighbours, near: dict[str, float]) -> bool:
    found = unpack_floats(row.weights)
    expected = [near.get(other, -1.0) for other in row.ids]
    best = largest(near, PUBLISHED)
    return len(found) == len(best) and np.allclose(found, expected, rtol=1e-5) and np.allclose(found, best, rtol=1e-5)


def _check_dead_letters(settings: Settings, topics: Topics, bad: int) -> None:
    letters = read_all(settings, topics.dead_letters.name)
    places = Counter()  # type: ignore[var-annotated]
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["reason"] == b"bad_json"
        assert letter.value == b'{"user_id": broken'
        places[headers["topic"], headers["partition"], headers["offset"]] += 1
    assert len(places) == bad
    assert set(places.values()) == {1}


def _check_lists(settings: Settings, topics: Topics, events: int) -> None:
    lists = [json.loads(record.value or b"") for record in read_all(settings, topics.recommendations.name)]
    outcomes = [json.loads(record.value or b"") for record in read_all(settings, topics.outcomes.name)]
    triggers = Counter(trigger for one in lists for trigger in one["triggers"])
    assert set(triggers.values()) == {1}
    of_events = [trigger for trigger in triggers if trigger.startswith(topics.events.name)]
    assert len(of_events) == events
    assert all(one["recommendation_id"] == one["triggers"][-1] for one in lists)
    answered = Counter(one["request_id"] for one in lists if one["request_id"])
    expired = Counter(outcome["request_id"] for outcome in outcomes if outcome["outcome"] == "expired")
    assert answered + expired == Counter(f"r{number}" for number in range(REQUESTS))
    assert len(lists) == sum(answered.values()) + len([one for one in lists if not one["request_id"]])
    assert expired, "no request expired, although some could not be answered in time"
