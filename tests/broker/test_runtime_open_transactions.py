"""A worker that died in the middle of a transaction leaves it open: until the broker ends it, it must hide nothing.

changelog   row 1  row 1  │ open …   row 2  row 2  │   last stable offset: before `open`, although row 2 is committed
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupState, Producer

from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.support import admin_client_of, cluster, send
from tests.broker.test_runtime import KEYS, all_absorbed, check_exact, records, settings, start

__all__ = ["settings"]


@contextmanager
def open_transaction(settings: Settings) -> Iterator[None]:
    """One record in every changelog partition, neither committed nor aborted until the context ends."""
    changelog = build_topics(settings).profiles_changelog
    dead = Producer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "transactional.id": f"{settings.topic_prefix}dead",
            "transaction.timeout.ms": 300_000,
        }
    )
    dead.init_transactions(20)
    dead.begin_transaction()
    for partition in range(changelog.partitions):
        dead.produce(changelog.name, b"1000000", KEYS[0], partition)
    dead.flush()
    yield
    dead.abort_transaction(20)


@pytest.mark.broker
@pytest.mark.parametrize("disk", ["kept", "lost"])
def test_rows_committed_after_an_open_transaction_began_are_restored(
    disk: str, settings: Settings, tmp_path: Path
) -> None:
    topics = build_topics(settings)
    with cluster(settings, tmp_path) as workers:
        send(settings, topics.events, records(100))
        worker = start(workers)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the first records")
        with open_transaction(settings):
            send(settings, topics.events, records(100))
            workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second records")
            worker.kill()
            worker.wait()
            if disk == "lost":
                shutil.rmtree(tmp_path / "data" / f"{settings.topic_prefix}profiles-1" / "profiles")
            before = len(worker.text())
            workers.wait_until(
                lambda: "is waited for" in worker.text()[before:] or "works on" in worker.text()[before:], "a restore"
            )
        send(settings, topics.events, records(100))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the third records")
        assert "not of this changelog" not in worker.text()
    check_exact(settings, Counter(KEYS[number % len(KEYS)] for _ in range(3) for number in range(100)))


@pytest.mark.broker
def test_what_came_while_partitions_were_given_out_anew_is_read_although_nothing_was_committed_before(
    settings: Settings, tmp_path: Path
) -> None:
    """The engine has a fetch under way when the rebalance begins, and drops what it brings."""
    topics, group = build_topics(settings), f"{settings.topic_prefix}profiles"
    with cluster(settings, tmp_path) as workers:
        first = start(workers, "1")
        workers.wait_until(lambda: "works on" in first.text(), "the first worker")
        with open_transaction(settings):  # the restore waits for it: time enough for the fetch
            start(workers, "2")
            workers.wait_until(lambda: members(settings, group) == 2, "the second worker")
            send(settings, topics.events, records(100))
            workers.wait_until(lambda: "is waited for" in first.text(), "a restore")
        send(settings, topics.events, records(100))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the records")
    check_exact(settings, Counter(KEYS[number % len(KEYS)] for _ in range(2) for number in range(100)))


def members(settings: Settings, group: str) -> int:
    """Members of a group that has given out its partitions."""
    found = admin_client_of(settings).describe_consumer_groups([group])[group].result()
    return len(found.members) if found.state is ConsumerGroupState.STABLE else 0
