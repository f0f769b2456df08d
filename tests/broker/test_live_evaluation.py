"""Variants and their live evaluation on a real Kafka, with evaluation workers killed: sums equal a plain replay.

events ─► profiles ─► candidates ─► scorer ─► recommendations ─► evaluation 1, 2 ✂ SIGKILL
   └────────────────────────────────────────────────────────────►  │ └─► experiments
"""

import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.admin import create_topics
from agents.erasures import erasure_key
from agents.experiments import read_sums
from agents.packed import NEIGHBOURS, Neighbours, pack_floats, pack_ints
from agents.partition import partition_of
from agents.records import Item, encode_json
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import Topic, Topics, build_topics
from agents.variants import assignment
from tests.agents.test_live_evaluation import equal, moments_from
from tests.broker.support import Cluster, absorbed, broker_settings, cluster, drained, newest, read_all, send
from tests.broker.test_commands import answer
from tests.live_reference import UserLog, plain_counts, sums

pytestmark = pytest.mark.broker

ITEMS, USERS, ROUNDS = 60, 80, 8
NEAR = 12
VARIANTS = {
    "popular": {"share": 0.3, "weight_item_cf": 0.0, "weight_popular": 1.0},
    "few": {"share": 0.2, "candidates_item_cf": 0},
}
SECOND_WORKER_AT = 5


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    return broker_settings(
        kafka,
        unique,
        tmp_path / "data",
        variants=VARIANTS,
        experiment="test",
        diversity=0.0,
        weight_fresh=0.0,
        weight_interest=0.0,
        max_batch_records=40,
    )


def popularity(number: int) -> float:
    return 10.0 + number


def send_items(settings: Settings, topics: Topics) -> None:
    """A catalogue, and neighbours as a similarity worker would publish them: i7 goes with i8, i9, …"""
    items = [f"i{number}" for number in range(ITEMS)]
    send(settings, topics.items, [(item.encode(), encode_json(Item(item, f"Item {item}"))) for item in items])
    ones = pack_ints(np.ones(NEAR, np.int64))
    rows: list[tuple[bytes | None, bytes | None]] = []
    for number, item in enumerate(items):
        near = [items[(number + step) % ITEMS] for step in range(1, NEAR + 1)]
        weights = pack_floats(1.0 / np.arange(1, NEAR + 1))
        value = Neighbours(near, weights, ones, ones, 5, 5, popularity(number), 0.0)
        rows.append((item.encode(), NEIGHBOURS.write(value)))
    send(settings, topics.neighbours, rows)


def an_event(user: str, item: str, kind: str) -> tuple[bytes, bytes]:
    return user.encode(), json.dumps({"user_id": user, "item_id": item, "event_type": kind}).encode()


def a_round(deal: random.Random, lists: dict[str, list[str]]) -> list[tuple[bytes | None, bytes | None]]:
    """Events of one round: of the user's list or of any items, with bad records in between."""
    records: list[tuple[bytes | None, bytes | None]] = []
    for number in range(USERS):
        user = f"u{number}"
        known, any_item = lists.get(user) or ["i0"], f"i{deal.randrange(ITEMS)}"
        item = deal.choice(known) if deal.random() < 0.6 else any_item
        records.append(an_event(user, item, deal.choice(["purchase", "click", "view"])))
        if lists.get(user):
            records.append(an_event(user, known[0], "impression"))
        if number % 20 == 0:
            records += [an_event(user, any_item, "dislike"), (user.encode(), b'{"user_id": broken')]
    return records


def send_misplaced(settings: Settings, topics: Topics) -> None:
    """An event of each of some users into a wrong partition: the profiles worker sends it on."""
    producer = plain_producer(settings)
    for number in range(0, USERS, 10):
        key, value = an_event(f"u{number}", f"i{number % ITEMS}", "view")
        wrong = (partition_of(key, topics.events.partitions) + 1) % topics.events.partitions
        producer.produce(topics.events.name, value, key, wrong)
    assert producer.flush(20) == 0


def newest_lists(settings: Settings, topics: Topics) -> dict[str, list[str]]:
    lists = [json.loads(record.value or b"") for record in read_all(settings, topics.recommendations.name)]
    return {one["user_id"]: [item["item_id"] for item in one["items"]] for one in lists}


def wait_for(workers: Cluster, *stages: tuple[str, Topic]) -> None:
    settings = workers.settings
    for worker, topic in stages:
        what = f"{worker} at the end of {topic.name}"
        workers.wait_until(lambda w=worker, t=topic: drained(settings, w, t), what, 120)  # type: ignore[misc]


def count(settings: Settings, topics: Topics) -> int:
    return sum(absorbed(settings, "evaluation", topics.events).values())


def user_logs(settings: Settings, topics: Topics) -> dict[str, UserLog]:
    """What the topics say of each user: records in the wrong partition, and broken ones, say nothing."""
    logs: dict[str, UserLog] = defaultdict(UserLog)
    for record in read_all(settings, topics.events.name):
        if partition_of(record.key or b"", topics.events.partitions) != record.partition:
            continue
        try:
            event: dict[str, Any] = json.loads(record.value or b"")
        except ValueError:
            continue
        logs[event["user_id"]].events.append((record.timestamp, event["item_id"], event["event_type"]))
    for record in read_all(settings, topics.recommendations.name):
        one = json.loads(record.value or b"")
        items = [item["item_id"] for item in one["items"]]
        leading = [max(item["sources"].items(), key=lambda share: share[1])[0] for item in one["items"]]
        place = (record.timestamp, record.offset)
        logs[one["user_id"]].lists.append((place, one["variant"], items, leading))
    for record in read_all(settings, topics.outcomes.name):
        one = json.loads(record.value or b"")
        logs[one["user_id"]].outcomes.append((one["variant"], one["outcome"], one["source"], one["position"]))
    return logs


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sums_equal_a_plain_replay_although_evaluation_workers_are_killed(settings: Settings, tmp_path: Path) -> None:
    topics, deal = build_topics(settings), random.Random(3)
    create_topics(settings)
    send_items(settings, topics)
    lists: dict[str, list[str]] = {}
    with cluster(settings, tmp_path) as workers:
        for kind in ("profiles", "scorer"):
            workers.start(kind)
        evaluation = workers.start("evaluation")
        workers.wait_until(lambda: all("works" in worker.text() for worker in workers.workers), "workers that work")
        for number in range(ROUNDS):
            before = count(settings, topics)
            send(settings, topics.events, a_round(deal, lists))
            if number == SECOND_WORKER_AT:
                workers.start("evaluation", "2")
                send_misplaced(settings, topics)
            elif number % 2 == 1:
                workers.wait_until(lambda before=before: count(settings, topics) > before, "the first of a round")  # type: ignore[misc]
                evaluation.kill()
            wait_for(workers, ("profiles", topics.events), ("scorer", topics.candidates))
            lists = newest_lists(settings, topics)
        wait_for(workers, ("profiles", topics.recommendations), ("profiles", topics.events))
        own = [("evaluation", topic) for topic in (topics.events, topics.recommendations, topics.outcomes)]
        wait_for(workers, *own)
        assert evaluation.kills >= 2
        assert evaluation.starts > evaluation.kills

        logs = user_logs(settings, topics)
        counts = {user: plain_counts(log, settings.evaluation_k, 86_400_000) for user, log in logs.items()}
        assert equal(read_sums(settings), moments_from([*counts.values()]))
        total = sums(counts.values())
        assert all(total[variant, "all"]["hits"] for variant in ("default", *VARIANTS))
        assert sum(total[variant, "all"]["bought"] + total[variant, "all"]["shown"] for variant in VARIANTS)

        told = {(one["variant"], one["slice"]): one for one in answer_list(settings)}
        assert told.keys() == total.keys()
        for place, one in told.items():
            assert {name: one[name] for name in total[place] if name in one} == {
                name: count for name, count in total[place].items() if name in one
            }
        check_variants(settings, topics, logs)

        check_erasure(workers, topics)
    assert equal(read_sums(settings), moments_from([*counts.values()]))


def answer_list(settings: Settings) -> list[dict[str, Any]]:
    found: Any = answer(settings, "experiments")
    return list(found)


def check_variants(settings: Settings, topics: Topics, logs: dict[str, UserLog]) -> None:
    """Each user has one variant, the shares are as wanted, and lists are ranked as their variants say."""
    dealt = assignment(settings)
    users = Counter(dealt.of(user) for user in logs)
    assert users["popular"] == pytest.approx(0.3 * USERS, abs=12)
    assert users["few"] == pytest.approx(0.2 * USERS, abs=11)
    for user, log in logs.items():
        assert {variant for _, variant, _, _ in log.lists} <= {dealt.of(user)}
    led: dict[str, Counter[bool]] = defaultdict(Counter)
    for record in read_all(settings, topics.recommendations.name):
        one = json.loads(record.value or b"")
        numbers = [int(item["item_id"][1:]) for item in one["items"]]
        by_popularity = sorted(numbers, reverse=True)
        if one["variant"] != "default":
            assert numbers == by_popularity
        led[one["variant"]].update("item_cf" in item["sources"] for item in one["items"][:1])
    assert led["default"][True] > 0
    assert led["default"][False] == 0
    assert led["popular"][True] == led["few"][True] == 0


def check_erasure(workers: Cluster, topics: Topics) -> None:
    """A null in `users` deletes the user's row, and nobody else's."""
    settings = workers.settings
    rows = {key for _, key in newest(read_all(settings, topics.live_changelog.name))}
    assert b"u3" in rows
    send(settings, topics.users, [(b"u3", None)])
    wait_for(workers, ("evaluation", topics.users))
    left = {key for _, key in newest(read_all(settings, topics.live_changelog.name))}
    assert left == rows - {b"u3"} | {erasure_key(b"u3")}
