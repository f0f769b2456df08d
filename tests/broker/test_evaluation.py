"""An evaluation makes the lists that the workers make of the same events.

Without variety and fading, which depend on ties and on where batches end; so do the workers' own lists.
"""

import json
import time
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.evaluation.datasets import load
from agents.evaluation.pipeline import Pipeline
from agents.packed import NEIGHBOURS, ROW_HEAD
from agents.records import RankedItem
from agents.replay import send_catalogue
from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.comparison import wrong_ridge
from tests.broker.support import broker_settings, cluster, newest, read_all, send, wait_until_drained

EVENTS, ASKED, K = 3_000, 60, 20
NEVER_FADES = 1e15
"""Popularity fades with batches, whose limits no two runs share."""


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(
        kafka,
        unique,
        tmp_path / "data",
        user_partitions=1,
        item_partitions=1,
        trigger_types="",
        popularity_half_life=NEVER_FADES,
        diversity=0.0,
        gather_s=0.1,
        rows_published_per_s=100_000,
    )
    create_topics(made)
    return made


def published(settings: Settings) -> bool:
    rows = newest(read_all(settings, build_topics(settings).item_rows_changelog.name))
    heads = [ROW_HEAD.read(value) for (_, key), value in rows.items() if key[:1] == b"h"]
    if not heads or any(head.dirty for head in heads):
        return False
    neighbours = newest(read_all(settings, build_topics(settings).neighbours.name))
    return not wrong_ridge(settings, {key.decode(): NEIGHBOURS.read(value) for (_, key), value in neighbours.items()})


def scores(items: list[RankedItem]) -> dict[str, float]:
    """Items and scores, without those that tie with the last: which of them is in the list is chance."""
    return {item.item_id: item.score for item in items if item.score > items[-1].score + 1e-5}


@pytest.mark.broker
def test_the_lists_of_an_evaluation_are_those_of_the_workers(settings: Settings, tmp_path: Path) -> None:
    topics, sample = build_topics(settings), load("sample")
    events = [event.record() for event in sample.events[:EVENTS]]
    users = sorted({key.decode() for key, _ in events})[:ASKED]

    pipeline = Pipeline(settings, time.time_ns() // 1_000_000)
    pipeline.put_items(sample.items)
    pipeline.absorb(events, time.time_ns() // 1_000_000)
    pipeline.settle()
    expected = {
        made.user_id: scores(made.items) for made in pipeline.ask(dict.fromkeys(users, time.time_ns() // 1_000_000), K)
    }

    send_catalogue(settings, sample.items)
    send(settings, topics.events, list(events))
    with cluster(settings, tmp_path) as workers:
        for kind in ("profiles", "similarity", "scorer"):
            workers.start(kind)
        wait_until_drained(workers, topics)
        workers.wait_until(lambda: published(settings), "all neighbours")

        def answered() -> dict[str, dict[str, float]]:
            """Asked again until all that was published is in the lists."""
            send(settings, topics.requests, [(u.encode(), json.dumps({"user_id": u, "k": K}).encode()) for u in users])
            wait_until_drained(workers, topics)
            lists = read_all(settings, topics.recommendations.name)[-ASKED:]
            made = [json.loads(record.value or b"") for record in lists]
            items = {one["user_id"]: [RankedItem(**item) for item in one["items"]] for one in made}
            return {user: scores(ranked) for user, ranked in items.items()}

        def equal() -> bool:
            found = answered()
            return found.keys() == expected.keys() and all(
                found[user] == pytest.approx(expected[user], abs=1e-4) for user in users
            )

        workers.wait_until(equal, "the lists of the evaluation", 120)
    assert sum(map(len, expected.values())) > ASKED * K / 2
