"""A worker that keeps standby stores takes over from one that is lost for good by reading the end of the changelog."""

import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.support import Supervised, cluster, read_all, send
from tests.broker.test_runtime import COMMAND, KEYS, all_absorbed, check_exact, records, settings
from tests.conftest import free_port

__all__ = ["settings"]


def metric(port: int, name: str) -> float:
    """A metric of the worker that serves this port, over all labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"profilestream_{name}"
    )


@pytest.mark.broker
def test_the_partitions_of_a_lost_worker_are_taken_over_from_the_standby_stores(
    settings: Settings, tmp_path: Path
) -> None:
    topics, port, part = build_topics(settings), free_port(), 8_000
    standing = settings.model_copy(update={"standby": True})

    with cluster(standing, tmp_path) as workers:

        def start(instance: str, **variables: str) -> Supervised:
            return workers.run(COMMAND, f"count-{instance}", restart=True, PROFILESTREAM_INSTANCE=instance, **variables)

        first = start("1")
        second = start("2", PROFILESTREAM_HTTP_PORT=str(port))
        workers.wait_until(lambda: "works on partitions [2, 3]" in first.text() + second.text(), "a shared group")
        send(settings, topics.events, records(part))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the first records")
        theirs = {2, 3} if "works on partitions [2, 3]" in first.text() else {0, 1}
        copied = [record for record in read_all(settings, topics.profiles_changelog.name) if record.partition in theirs]
        workers.wait_until(
            lambda: metric(port, "standby_rows_total") > 0 and metric(port, "standby_left_records") == 0, "the copies"
        )
        before = metric(port, "restored_rows_total")
        first.kill()
        first.wait()
        workers.workers.remove(first)
        send(settings, topics.events, records(part))
        workers.wait_until(lambda: "works on partitions [0, 1, 2, 3]" in second.text(), "the take-over")
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second records")
        assert len(copied) > 1_000
        assert metric(port, "restored_rows_total") - before < len(copied) / 10
        assert "do not add up" not in second.text()
    check_exact(settings, Counter(KEYS[number % len(KEYS)] for _ in range(2) for number in range(part)))


@pytest.mark.broker
def test_partitions_that_come_and_go_between_owning_and_standing_by_stay_exact(
    settings: Settings, tmp_path: Path
) -> None:
    topics, part = build_topics(settings), 2_000
    standing = settings.model_copy(update={"standby": True})
    with cluster(standing, tmp_path) as workers:

        def start(instance: str) -> Supervised:
            return workers.run(COMMAND, f"count-{instance}", PROFILESTREAM_INSTANCE=instance)

        first = start("1")
        send(settings, topics.events, records(part))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the first records")
        second = start("2")
        workers.wait_until(lambda: "standby for partitions [" in first.text(), "a standby of the first")
        workers.wait_until(lambda: "standby for partitions [" in second.text(), "a standby of the second")
        send(settings, topics.events, records(part))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second records")
        for worker in (first, second, first):
            worker.kill()
            send(settings, topics.events, records(part))
            workers.wait_until(lambda: all_absorbed(settings, topics.events), "records after a kill")
        assert "do not add up" not in first.text() + second.text()
        assert "given up" not in first.text() + second.text()
    check_exact(settings, Counter(KEYS[number % len(KEYS)] for _ in range(5) for number in range(part)))
