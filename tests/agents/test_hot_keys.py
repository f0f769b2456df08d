"""A user who does everything, and an item that everyone has: rows and messages stop growing."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.item_rows import SEGMENTS_KEPT
from agents.packed import CO_COUNTS, PROFILE, ROW_BODY, ROW_HEAD, unpack_ints
from agents.profiles import ProfilesAgent
from agents.runtime.metrics import Metrics
from agents.settings import Settings, read_settings
from agents.similarity import SimilarityAgent
from agents.topics import build_topics
from models.profile import BLOCKED_KEPT
from tests.agents.in_memory import Log, Worker
from tests.agents.runtime.test_positions import Rec

HISTORY, ROW = 60, 80
BATCH = 1_000
SLACK = 1.1
"""Numbers with more digits take a few bytes more."""
LONG = "x" * 200


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(
        data_dir=tmp_path,
        user_partitions=1,
        item_partitions=1,
        history_size=HISTORY,
        row_neighbours=ROW,
        neighbours_published=20,
        segment_attributes="age",
        rows_published_per_s=100_000,
    )


@pytest.fixture
def log() -> Log:
    return Log(now_ms=time.time_ns() // 1_000_000)


@pytest.fixture
def profiles(settings: Settings, tmp_path: Path, log: Log) -> Iterator[Worker]:
    worker = Worker(settings, tmp_path, "profiles", ProfilesAgent(settings, Metrics()), log)
    yield worker
    worker.close()


@pytest.fixture
def similarity(settings: Settings, tmp_path: Path, log: Log) -> Iterator[Worker]:
    worker = Worker(settings, tmp_path, "similarity", SimilarityAgent(settings), log)
    yield worker
    worker.close()


def absorb(worker: Worker, log: Log, topic: str, values: list[tuple[bytes, bytes]]) -> None:
    """Batches of records of applications."""
    for begin in range(0, len(values), BATCH):
        part = values[begin : begin + BATCH]
        records = [Rec(topic, 0, begin + n, log.now_ms, key, value) for n, (key, value) in enumerate(part)]
        worker.absorb(topic, records)


def event(user: str, kind: str, **fields: object) -> tuple[bytes, bytes]:
    return user.encode(), json.dumps({"user_id": user, "event_type": kind, **fields}).encode()


KINDS: dict[str, Callable[[int], tuple[bytes, bytes]]] = {
    "the same item": lambda n: event("hot", "purchase", item_id="i", event_id=f"{n}"),
    "new items": lambda n: event("hot", "view", item_id=f"i{n:06}"),
    "dislikes": lambda n: event("hot", "dislike", item_id=f"i{n:06}"),
    "searches": lambda n: event("hot", "search", query=f"word{n:06} other{n:06}"),
    "unknown lists": lambda n: event("hot", "click", item_id="i", recommendation_id=f"list{n:06}"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_row_of_a_user_who_never_stops_is_as_long_as_ever(profiles: Worker, log: Log, kind: str) -> None:
    made = [KINDS[kind](n) for n in range(4 * BATCH)]
    absorb(profiles, log, "events", made)
    rows = [record.value or b"" for record in log.all(profiles.changelog) if record.key == b"hot"]
    assert PROFILE.read(rows[-1]).events == len(made)
    assert len(rows[-1]) <= SLACK * len(rows[1])
    assert len(PROFILE.read(rows[-1]).blocked) <= BLOCKED_KEPT


def test_what_the_events_of_one_user_bring_about_is_cut_into_records_that_fit(profiles: Worker, log: Log) -> None:
    made = [event("hot", "purchase", item_id=f"{LONG}{n}") for n in range(20_000)]
    records = [Rec("events", 0, n, log.now_ms, key, value) for n, (key, value) in enumerate(made)]
    profiles.absorb("events", records)  # the log refuses what a broker would refuse
    changes = log.all("cooccurrence")
    assert max(len(record.value or b"") for record in changes) <= 512 * 1024
    assert sum(CO_COUNTS.read(record.value or b"").events for record in changes) == len(made)


def test_the_row_of_an_item_that_everyone_has_stops_growing(
    profiles: Worker, similarity: Worker, settings: Settings, log: Log
) -> None:
    sizes = {}
    before = 0
    for users in (1_000, 2_000, 4_000):
        new, before = range(before, users), users
        declared = [
            (f"u{n}".encode(), json.dumps({"user_id": f"u{n}", "attributes": {"age": n}}).encode()) for n in new
        ]
        absorb(profiles, log, "users", declared)
        both = [event(f"u{n}", "view", item_id=item) for n in new for item in ("hot", f"i{n:06}")]
        absorb(profiles, log, "events", both)
        changes, log.records["cooccurrence", 0] = log.records["cooccurrence", 0], []
        similarity.absorb("cooccurrence", changes)
        newest = {record.key: record.value or b"" for record in log.all(similarity.changelog)}
        hot = next(key for key, value in newest.items() if key and key[:1] == b"d" and value == b"hot")
        assert hot is not None
        head, body = newest[b"h" + hot[1:]], newest[b"b" + hot[1:]]
        assert ROW_HEAD.read(head).users == users
        assert len(unpack_ints(ROW_BODY.read(body).cols)) <= 1.25 * ROW
        published = [record.value or b"" for record in log.all(build_topics(settings).neighbours.name)]
        assert len(ROW_HEAD.read(head).segments) <= 1.25 * SEGMENTS_KEPT
        sizes[users] = (len(head), len(body), max(map(len, published)))
    assert all(last <= 1.25 * SLACK * first for first, last in zip(sizes[2_000], sizes[4_000], strict=True)), sizes


def test_changes_of_one_long_row_arrive_whole_in_several_messages(
    profiles: Worker, similarity: Worker, log: Log
) -> None:
    users = 4_000
    first = [event(f"u{n}", "view", item_id=f"{LONG}{n:06}") for n in range(users)]
    absorb(profiles, log, "events", first)
    log.records["cooccurrence", 0] = []
    then = [event(f"u{n}", "view", item_id="hot") for n in range(users)]
    profiles.absorb("events", [Rec("events", 0, users + n, log.now_ms, *one) for n, one in enumerate(then)])
    changes = log.records["cooccurrence", 0]
    assert len(changes) > 1
    similarity.absorb("cooccurrence", changes)
    newest = {record.key: record.value or b"" for record in log.all(similarity.changelog)}
    hot = next(key for key, value in newest.items() if key and key[:1] == b"d" and value == b"hot")
    assert hot is not None
    head = ROW_HEAD.read(newest[b"h" + hot[1:]])
    assert (head.users, head.events, head.c_sum) == (users, users, 1024 * users)
