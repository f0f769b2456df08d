"""Restores on a real Kafka: what is lost or moved is noticed, and what was cut off goes on.

The agent counts records (`counting_agent.py`); after all is absorbed the row of a key is its number of records.
"""

import os
import re
import shutil
import threading
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions, Producer, TopicPartition
from faust.types import TP

from agents.admin import create_topics
from agents.runtime.clients import committed_consumer, plain_producer, transactional_producer
from agents.runtime.metrics import Metrics
from agents.runtime.restore import Restorer, topic_ids
from agents.runtime.seal import SEAL_KEY, Absorbed, Seal, Tally, checksum
from agents.runtime.store import PartitionStore
from agents.runtime.table import Table
from agents.settings import Settings
from agents.topics import app_id, build_topics
from tests.broker.support import (
    Supervised,
    admin_client_of,
    broker_settings,
    cluster,
    read_all,
    send,
    wait_for_coordinator,
    wait_until,
)
from tests.broker.test_runtime import (
    COMMAND,
    KEYS,
    _set_cleanup,
    all_absorbed,
    check_exact,
    delete_records,
    records,
    settings,
    start,
)

__all__ = ["settings"]

RESTORED = re.compile(r"restored \d+ partitions: (\d+) changelog records")


def group_of(settings: Settings) -> str:
    return f"{settings.topic_prefix}profiles"


def data_of(settings: Settings, instance: str = "1") -> Path:
    return settings.data_dir / f"{settings.topic_prefix}profiles-{instance}" / "profiles"


def absorb_and_die(settings: Settings, folder: Path, count: int = 200) -> None:
    """A worker takes some records in, and is gone, its membership too."""
    topics = build_topics(settings)
    send(settings, topics.events, records(count))
    with cluster(settings, folder) as workers:
        start(workers, restart=False)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the records")
    wait_until(lambda: is_empty(settings), "the end of the session")


def twice() -> Counter[bytes]:
    return Counter(KEYS[number % len(KEYS)] for _ in range(2) for number in range(200))


def ended(settings: Settings, folder: Path, name: str) -> Supervised:
    """A worker that is started and ends by itself."""
    with cluster(settings, folder) as workers:
        worker = workers.run(COMMAND, name, restart=False)
        worker.wait(120)
    wait_until(lambda: is_empty(settings), "the end of the session")
    return worker


def is_empty(settings: Settings) -> bool:
    """Whether the group has no members; one without offsets is gone then."""
    group = group_of(settings)
    state = admin_client_of(settings).describe_consumer_groups([group])[group].result().state
    return state in {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}


@pytest.mark.broker
def test_offsets_that_are_gone_are_known_from_the_changelog(settings: Settings, tmp_path: Path) -> None:
    topics, group = build_topics(settings), group_of(settings)
    absorb_and_die(settings, tmp_path)
    admin_client_of(settings).delete_consumer_groups([group])[group].result()
    shutil.rmtree(settings.data_dir)
    with cluster(settings, tmp_path) as workers:
        worker = start(workers)
        send(settings, topics.events, records(200))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second records")
        assert f"the offsets of group {group} are gone" in worker.text()
    check_exact(settings, twice())


@pytest.mark.broker
def test_rows_whose_offsets_nobody_knows_are_not_counted_twice(settings: Settings, tmp_path: Path) -> None:
    topics, group = build_topics(settings), group_of(settings)
    absorb_and_die(settings, tmp_path)
    unseal(settings)
    shutil.rmtree(settings.data_dir)
    admin_client_of(settings).delete_consumer_groups([group])[group].result()
    worker = ended(settings, tmp_path, "no-offsets")
    assert worker.process.returncode == 2
    assert f"has rows, but group {group} has no offsets" in worker.text()
    assert "--reset-offsets --to-offset N --execute" in worker.text()
    # The remedy that the message names: the offsets are put back.
    ends = Counter(record.partition for record in read_all(settings, topics.events.name))
    places = [TopicPartition(topics.events.name, partition, end) for partition, end in ends.items()]
    alter_offsets(settings, places)
    with cluster(settings, tmp_path) as workers:
        start(workers)
        send(settings, topics.events, records(200))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second records")
    check_exact(settings, twice())


@pytest.mark.broker
def test_offsets_that_were_set_back_end_the_worker_and_put_right_it_goes_on(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    absorb_and_die(settings, tmp_path)
    alter_offsets(settings, [TopicPartition(topics.events.name, 0, 3)])
    worker = ended(settings, tmp_path, "set-back")
    assert worker.process.returncode == 2
    found = re.search(r"and would count twice.*--to-offset (\d+) --execute", worker.text(), re.DOTALL)
    assert found
    alter_offsets(settings, [TopicPartition(topics.events.name, 0, int(found.group(1)))])
    with cluster(settings, tmp_path) as workers:
        start(workers)
        send(settings, topics.events, records(200))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second records")
    check_exact(settings, twice())


@pytest.mark.broker
@pytest.mark.parametrize("damage", ["a row lost", "a row of another program"])
def test_a_changelog_that_is_not_as_it_was_written_is_noticed(damage: str, settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    changelog = topics.profiles_changelog
    absorb_and_die(settings, tmp_path)
    if damage == "a row lost":
        first = min(record.offset for record in read_all(settings, changelog.name) if record.partition == 0)
        _set_cleanup(settings, changelog, "compact,delete")  # else the broker refuses
        cut = TopicPartition(changelog.name, 0, newest_offsets(settings, 0)[0] + 1)
        assert cut.offset > first
        delete_records(settings, [cut])
        _set_cleanup(settings, changelog, "compact")
    else:
        produce(settings, [(b"foreign", b"1", 0)])
    shutil.rmtree(settings.data_dir)
    worker = ended(settings, tmp_path, "damaged")
    assert worker.process.returncode == 2
    assert "partition 0: " in worker.text()
    assert "do not add up to what was written" in worker.text()
    with cluster(settings, tmp_path) as workers:
        accepting = workers.run(COMMAND, "accepts", PROFILESTREAM_ACCEPT_LOST_RECORDS="true")
        send(settings, topics.events, records(200))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second records")
        assert "accepted" in accepting.text()
        accepting.restart = False
        accepting.kill()
        accepting.wait()
    shutil.rmtree(settings.data_dir)
    with cluster(settings, tmp_path) as workers:  # what was accepted is sealed: it adds up again
        again = workers.run(COMMAND, "again", restart=False)
        workers.wait_until(lambda: "works on" in again.text(), "the last worker")


@pytest.mark.broker
def test_local_rows_that_do_not_add_up_are_restored_from_the_changelog(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    absorb_and_die(settings, tmp_path)
    for partition in range(topics.events.partitions):
        store = PartitionStore(data_of(settings) / str(partition))
        position = store.position()
        assert position is not None
        assert position.tally is not None
        wrong = msgspec.structs.replace(position, tally=position.tally._replace(sum=1))
        store.write({KEYS[0]: b"1000"}, wrong)
        store.close()
    send(settings, topics.events, records(200))
    with cluster(settings, tmp_path) as workers:
        worker = start(workers)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second records")
        before = worker.text().count("works on")
        worker.kill()
        worker.wait()
        workers.wait_until(lambda: worker.text().count("works on") > before, "the restart")
    check_exact(settings, twice())


@pytest.mark.broker
def test_a_restore_that_is_killed_goes_on_where_it_stopped(kafka: str, unique: str, tmp_path: Path) -> None:
    """An open transaction at the end of the changelog holds the restore there until it is killed."""
    settings = broker_settings(kafka, unique, tmp_path / "data", user_partitions=1)
    create_topics(settings)
    topics, rows = build_topics(settings), 30_000  # several memory tables of 16 MB
    alter_offsets(settings, [TopicPartition(topics.events.name, 0, 0)])
    produce(settings, [(b"key%d" % number, os.urandom(2_000), 0) for number in range(rows)])
    dead = Producer(
        {"bootstrap.servers": kafka, "transactional.id": f"{unique}dead", "transaction.timeout.ms": 300_000}
    )
    dead.init_transactions(20)
    dead.begin_transaction()
    dead.produce(topics.profiles_changelog.name, b"1", b"open", 0)
    dead.flush()
    with cluster(settings, tmp_path) as workers:
        worker = start(workers)
        almost = re.compile(r"restoring: 99 %, 30000 records, \d+/s, \d+\.\d MB/s, 1 left")
        workers.wait_until(lambda: almost.search(worker.text()) is not None, "the last row")
        assert "is waited for" in worker.text()
        log = data_of(settings) / "0" / "LOG"
        workers.wait_until(lambda: "flush_finished" in log.read_text(errors="replace"), "rows on disk")
        worker.kill()
        worker.wait()
        dead.abort_transaction(20)
        workers.wait_until(lambda: RESTORED.search(worker.text()) is not None, "the restore")
    (again,) = map(int, RESTORED.findall(worker.text()))
    assert 0 < again < rows
    store = PartitionStore(data_of(settings) / "0")
    *_, tally = store.count()
    assert tally.rows == rows
    store.close()


@pytest.mark.broker
def test_offsets_that_another_worker_commits_meanwhile_are_read_anew(kafka: str, unique: str, tmp_path: Path) -> None:
    """As when the group has taken the partitions away during the restore, and the heartbeat does not tell yet."""
    settings = broker_settings(kafka, unique, tmp_path / "data", user_partitions=1)
    create_topics(settings)
    topics = build_topics(settings)
    events, changelog = topics.events.name, topics.profiles_changelog.name
    send(settings, topics.events, records(10))
    topic_id = topic_ids(settings, [events])[events]
    owner = transactional_producer(settings, f"{unique}owner")
    owner.init_transactions(20)
    table, shown, found = Table(tmp_path / "rows", changelog), threading.Event(), list[dict[TP, int]]()
    restorer = Restorer(settings, "profiles", [events], table, Metrics(), lambda _: shown.set())
    restore = threading.Thread(target=lambda: found.append(restorer.restore(frozenset({0}))), daemon=True)
    nobody = committed_consumer(settings, app_id(settings, "profiles"))

    def commit(offset: int) -> None:
        metadata = nobody.consumer_group_metadata()
        owner.send_offsets_to_transaction([TopicPartition(events, 0, offset)], metadata, 20)
        owner.commit_transaction(20)

    try:
        wait_for_coordinator(nobody, TP(events, 0))
        owner.begin_transaction()
        commit(2)
        owner.begin_transaction()
        owner.produce(changelog, b"1", b"key", 0)
        seal = Seal(Tally(1, checksum(b"key", b"1") or 0), {events: Absorbed(5, topic_id)})
        owner.produce(changelog, seal.pack(), SEAL_KEY, 0)
        owner.flush()
        restore.start()
        assert shown.wait(60), "the restore does not wait for the transaction"
        commit(5)
        restore.join(60)
        assert found == [{TP(events, 0): 5}]
        assert table.read(0, [b"key"]) == [b"1"]
    finally:
        nobody.close()
        table.close()


def newest_offsets(settings: Settings, partition: int) -> list[int]:
    """Changelog offsets of the newest rows of a partition, ascending."""
    last = {
        record.key: record.offset
        for record in read_all(settings, build_topics(settings).profiles_changelog.name)
        if record.partition == partition and record.key != SEAL_KEY
    }
    return sorted(last.values())


def unseal(settings: Settings) -> None:
    """Take the seals off, as if an earlier version had written the changelog."""
    changelog = build_topics(settings).profiles_changelog
    produce(settings, [(SEAL_KEY, None, partition) for partition in range(changelog.partitions)])


def produce(settings: Settings, rows: list[tuple[bytes, bytes | None, int]]) -> None:
    """Write (key, value, partition) into the changelog, past the worker."""
    producer = plain_producer(settings)
    for key, value, partition in rows:
        producer.produce(build_topics(settings).profiles_changelog.name, value, key, partition)
    assert producer.flush(30) == 0


def alter_offsets(settings: Settings, places: list[TopicPartition]) -> None:
    """Commit offsets in the place of the group, which must be empty."""
    group, asking = group_of(settings), committed_consumer(settings, group_of(settings))
    wait_for_coordinator(asking, TP(places[0].topic, places[0].partition))
    asking.close()
    request = [ConsumerGroupTopicPartitions(group, places)]
    admin_client_of(settings).alter_consumer_group_offsets(request)[group].result()
