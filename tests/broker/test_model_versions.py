"""Cross-encoders change while lists go on: none is late, lost, twice, or without a reader."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.settings import Settings
from agents.topics import Topics
from tests.broker.scorer_support import check_one_list_each, lists, packed, send_items, start, wait_until_done
from tests.broker.support import Cluster, Supervised, broker_settings, cluster, send
from tests.broker.test_commands import run
from tests.broker.test_standby import metric
from tests.conftest import free_port

pytest.importorskip("torch")
from tests.models.bert.tiny import make_model

pytestmark = pytest.mark.broker

READ = 8
DEADLINE_MS = 5_000


class Flow:
    """Candidates that go out in small lots, each with a deadline."""

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self._settings, self._topics, self.count = settings, topics, 0

    def until(self, workers: Cluster, done: str, scorer: Supervised) -> None:
        """Go on until the scorer's log says this, and then for a list of every user."""

        def reached() -> bool:
            deadline_ms = time.time_ns() // 1_000_000 + DEADLINE_MS
            send(self._settings, self._topics.candidates, packed(self.count, 10, deadline_ms))
            self.count += 10
            return done in scorer.text()

        workers.wait_until(reached, done)
        for _ in range(4):
            reached()


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(
        kafka, unique, tmp_path / "data", cross_candidates=READ, device="cpu", cross_ms=3_000, scorer_batch=50
    )
    create_topics(made)
    return made


def announce(settings: Settings, *arguments: str) -> None:
    done = run(settings, "models", *arguments)
    assert done.returncode == 0, done.stderr


def versions(settings: Settings, topics: Topics) -> list[str]:
    """The reader of each list, in the order of each partition, one partition after the other."""
    made = lists(settings, topics)
    assert all(one["cross_scored"] == READ and not one["degraded"] for _, one in made)
    by_partition = sorted(made, key=lambda both: (both[0].partition, both[0].offset))
    return [f"{record.partition} {str(one['cross_model']).rpartition('-')[0]}" for record, one in by_partition]


def changes(told: list[str]) -> int:
    """How often a partition's reader changes."""
    return sum(a != b and a[0] == b[0] for a, b in pairwise(told))


def test_a_model_is_changed_and_changed_back_without_a_gap(settings: Settings, tmp_path: Path) -> None:
    topics = send_items(settings)
    old, new = make_model(tmp_path / "old"), make_model(tmp_path / "new", seed=1)
    flow = Flow(settings, topics)
    with cluster(settings, tmp_path) as workers:
        scorer = start(workers, "1", PROFILESTREAM_CROSS_MODEL=str(old))
        flow.until(workers, "works", scorer)
        announce(settings, "announce", str(new))
        flow.until(workers, "lists are read by new-", scorer)
        announce(settings, "rollback")  # before the first announcement was the model of the settings
        flow.until(workers, "lists are read by old-", scorer)
        wait_until_done(workers, topics)
    check_one_list_each(settings, topics, flow.count)
    told = versions(settings, topics)
    assert {one.split()[1] for one in told} == {"old", "new"}
    partitions = {one[0] for one in told}
    assert changes(told) == 2 * len(partitions)


def test_a_scorer_starts_with_what_was_announced(settings: Settings, tmp_path: Path) -> None:
    topics = send_items(settings)
    announce(settings, "announce", str(make_model(tmp_path / "new", seed=1)))
    send(settings, topics.candidates, packed(0, 40))
    with cluster(settings, tmp_path) as workers:
        start(workers, "1", PROFILESTREAM_CROSS_MODEL="announced")
        wait_until_done(workers, topics)
    check_one_list_each(settings, topics, 40)
    assert {one.split()[1] for one in versions(settings, topics)} == {"new"}


def test_a_broken_model_is_not_used_and_a_shadow_is_only_compared(settings: Settings, tmp_path: Path) -> None:
    topics = send_items(settings)
    old, broken, other = (
        make_model(tmp_path / name, seed=seed) for seed, name in enumerate(("old", "broken", "other"))
    )
    flow, port = Flow(settings, topics), free_port()
    with cluster(settings, tmp_path) as workers:
        scorer = start(workers, "1", PROFILESTREAM_CROSS_MODEL=str(old), PROFILESTREAM_HTTP_PORT=str(port))
        announce(settings, "announce", str(broken))
        flow.until(workers, "lists are read by broken-", scorer)
        announce(settings, "announce", str(old))
        flow.until(workers, "lists are read by old-", scorer)
        (broken / "model.safetensors").write_bytes(b"no weights")
        announce(settings, "rollback")
        flow.until(workers, "cross-encoder broken-", scorer)
        announce(settings, "announce", str(other), "--shadow")
        flow.until(workers, "compared with other-", scorer)
        wait_until_done(workers, topics)
        workers.wait_until(lambda: metric(port, "shadow_lists_total") > 0, "a comparison")
        assert 0 <= metric(port, "shadow_agreement_total") <= metric(port, "shadow_lists_total")
    check_one_list_each(settings, topics, flow.count)
    assert {one.split()[1] for one in versions(settings, topics)} == {"old", "broken"}
