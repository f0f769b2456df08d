"""The runtime on a real Kafka: exactly once through kills, zombies, rebalances, lost disks and poison.

The agent under test counts records (`counting_agent.py`), so that the right answer is known: after all is absorbed the
row of a key is its number of records, and the records sent on are 1, 2, 3 … without gap or double.
"""

import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.admin import create_topics
from agents.partition import partition_of
from agents.runtime.clients import committed_consumer, plain_producer
from agents.runtime.engine import pack_group_metadata
from agents.settings import Settings
from agents.topics import Topic, build_topics
from tests.broker.support import (
    Cluster,
    Supervised,
    absorbed,
    admin_client_of,
    broker_settings,
    cluster,
    drained,
    newest,
    read_all,
    send,
    wait_until,
)

KEYS = [b"key%d" % number for number in range(50)]
COMMAND = [sys.executable, "-m", "tests.broker.counting_agent"]


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data", max_batch_records=200)
    create_topics(made)
    return made


def start(workers: Cluster, instance: str = "1", *, restart: bool = True) -> Supervised:
    return workers.run(COMMAND, f"count-{instance}", restart=restart, PROFILESTREAM_INSTANCE=instance)


def records(count: int, first: int = 0) -> list[tuple[bytes | None, bytes | None]]:
    return [(KEYS[number % len(KEYS)], b"%d" % number) for number in range(first, first + count)]


def taken(settings: Settings) -> int:
    topics = build_topics(settings)
    return sum(sum(absorbed(settings, "profiles", topic).values()) for topic in (topics.events, topics.requests))


def check_exact(settings: Settings, expected: Counter[bytes]) -> None:
    """Rows and records sent on are what a plain count gives."""
    topics = build_topics(settings)
    rows = newest(read_all(settings, topics.profiles_changelog.name))
    assert {key: int(value) for (_, key), value in rows.items()} == expected
    sent: dict[bytes, list[int]] = defaultdict(list)
    for record in read_all(settings, topics.outcomes.name):
        key, count = (record.value or b"").split()
        sent[key].append(int(count))
    assert sent == {key: list(range(1, count + 1)) for key, count in expected.items()}


def all_absorbed(settings: Settings, *topics: Topic) -> bool:
    return all(drained(settings, "profiles", topic) for topic in topics)


@pytest.mark.broker
@pytest.mark.slow
def test_exact_through_kills_a_zombie_workers_added_and_removed_and_a_lost_disk(
    settings: Settings, tmp_path: Path
) -> None:
    topics = build_topics(settings)
    part = 4_000
    sent = 0

    def send_more() -> None:
        nonlocal sent
        send(settings, topics.events, records(part, sent))
        send(settings, topics.requests, records(part // 4, sent))
        sent += part

    with cluster(settings, tmp_path) as workers:
        send_more()
        first = start(workers, "1")
        workers.wait_until(lambda: taken(settings) >= 1_000, "the first records")
        first.kill()
        send_more()
        second = start(workers, "2")
        workers.wait_until(lambda: "works on partitions [0, 1]" in second.text() + first.text(), "a shared group")
        send_more()
        second.kill(signal.SIGSTOP)  # past its session: others take over, it wakes as a zombie
        workers.wait_until(lambda: first.text().rstrip().endswith("[0, 1, 2, 3]"), "the take-over")
        send_more()
        second.kill(signal.SIGCONT)
        third = start(workers, "3")
        send_more()
        workers.wait_until(lambda: taken(settings) >= 3 * part, "half of it")
        third.restart = False
        third.kill(signal.SIGTERM)
        third.wait()
        workers.workers.remove(third)
        first.kill()
        first.wait()
        _delete(tmp_path / "data" / f"{settings.topic_prefix}profiles-1" / "profiles")
        send_more()
        workers.wait_until(lambda: all_absorbed(settings, topics.events, topics.requests), "the last record", 120)
    expected = Counter(KEYS[number % len(KEYS)] for number in range(sent))
    for begin in range(0, sent, part):
        expected.update(KEYS[number % len(KEYS)] for number in range(begin, begin + part // 4))
    check_exact(settings, expected)


def _delete(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


@pytest.mark.broker
def test_a_record_that_ends_the_process_is_found_and_put_aside_with_its_traceback(
    settings: Settings, tmp_path: Path
) -> None:
    topics = build_topics(settings)
    send(settings, topics.events, [*records(60), (KEYS[7], b"crash"), *records(60, 60)])
    with cluster(settings, tmp_path) as workers:
        worker = start(workers)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the last record", 200)
        assert set(worker.codes) == {3}
        assert worker.starts == 5  # three times as a batch, once alone, then without it
        notes = tmp_path / "data" / f"{settings.topic_prefix}profiles-1" / "crashes.json"
        workers.wait_until(lambda: not notes.exists(), "the end of the notes")
    check_exact(settings, Counter(KEYS[number % len(KEYS)] for number in range(120)))
    (letter,) = read_all(settings, topics.dead_letters.name)
    headers = dict(letter.headers)
    assert letter.value == b"crash"
    assert headers["reason"] == b"agent_failed"
    assert b"ValueError: this record cannot be counted" in headers["traceback"]


@pytest.mark.broker
def test_all_that_comes_while_a_batch_is_at_work_is_in_the_next(settings: Settings, tmp_path: Path) -> None:
    topics, go_on, key, count = build_topics(settings), tmp_path / "go.on", KEYS[7], 20
    with cluster(settings, tmp_path) as workers:
        start(workers)
        send(settings, topics.events, [(key, b"wait %s" % bytes(go_on))])
        workers.wait_until(go_on.with_suffix(".begun").exists, "a batch at work")
        for number in range(count):  # one after the other: the first could be fetched without the others
            send(settings, topics.events, [(key, b"%d" % number)])
        go_on.touch()
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the last record")
    found = [record.offset for record in read_all(settings, topics.outcomes.name)][1:]
    assert found == list(range(found[0], found[0] + count))  # the end of a transaction takes an offset


@pytest.mark.broker
def test_records_of_an_aborted_upstream_transaction_are_not_seen(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    upstream = Producer({"bootstrap.servers": settings.bootstrap_servers, "transactional.id": settings.topic_prefix})
    upstream.init_transactions(20)
    for number in range(6):
        upstream.begin_transaction()
        for key, value in records(100, number * 100):
            upstream.produce(topics.events.name, value, key, partition_of(key or b"", topics.events.partitions))
        upstream.flush()
        if number % 2:
            upstream.abort_transaction()
        else:
            upstream.commit_transaction()
    with cluster(settings, tmp_path) as workers:
        start(workers)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the committed records")
    check_exact(settings, Counter(KEYS[number % len(KEYS)] for number in range(300)))


@pytest.mark.broker
def test_rows_are_restored_from_a_changelog_that_was_cut_and_deletions_hold(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send(settings, topics.events, records(500))
    data = tmp_path / "data" / f"{settings.topic_prefix}profiles-1" / "profiles"
    with cluster(settings, tmp_path) as workers:
        worker = start(workers)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the first part")
        send(settings, topics.events, [(KEYS[0], b"delete"), *records(500)])
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the second part")
        worker.kill()
        worker.wait()
        # What is deleted here is older than the newest row of every key.
        cut = [
            TopicPartition(topics.profiles_changelog.name, partition, _first_of_second_part(settings, partition))
            for partition in range(topics.profiles_changelog.partitions)
        ]
        _set_cleanup(settings, topics.profiles_changelog, "compact,delete")  # else the broker refuses
        delete_records(settings, cut)
        _set_cleanup(settings, topics.profiles_changelog, "compact")
        _delete(data)
        send(settings, topics.events, records(100))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the third part")
    expected = Counter(KEYS[number % len(KEYS)] for part in (500, 500, 100) for number in range(part))
    expected[KEYS[0]] -= 10
    rows = newest(read_all(settings, topics.profiles_changelog.name))
    assert {key: int(value) for (_, key), value in rows.items()} == expected


def _set_cleanup(settings: Settings, topic: Topic, policy: str) -> None:
    entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=[entry])
    for future in admin_client_of(settings).incremental_alter_configs([resource]).values():
        future.result()


def delete_records(settings: Settings, before: list[TopicPartition]) -> None:
    """Delete what lies before these offsets; waits until the brokers know the topic's new policy."""

    def deleted() -> bool:
        try:
            for future in admin_client_of(settings).delete_records(before).values():
                future.result()
        except KafkaException as exc:
            if exc.args[0].code() != KafkaError.POLICY_VIOLATION:
                raise
            return False
        return True

    wait_until(deleted, "the deletion")


def _first_of_second_part(settings: Settings, partition: int) -> int:
    """Changelog offset before the last write of any key."""
    topics = build_topics(settings)
    last = {
        record.key: record.offset
        for record in read_all(settings, topics.profiles_changelog.name)
        if record.partition == partition
    }
    return min(last.values(), default=0)


@pytest.mark.broker
@pytest.mark.parametrize("codec", ["none", "gzip", "lz4", "snappy", "zstd"])
def test_every_codec_is_readable(codec: str, settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    producer = plain_producer(settings, **{"compression.type": codec, "linger.ms": 20})
    for key, _ in records(200):
        producer.produce(topics.events.name, b"x" * 100, key, partition_of(key or b"", topics.events.partitions))
    producer.flush()
    with cluster(settings, tmp_path) as workers:
        start(workers)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the records")
    check_exact(settings, Counter(KEYS[number % len(KEYS)] for number in range(200)))


@pytest.mark.broker
def test_a_committed_offset_beyond_the_log_is_noticed_and_named(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send(settings, topics.events, records(200))
    with cluster(settings, tmp_path) as workers:
        worker = start(workers, restart=False)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the records")
        worker.kill()
        worker.wait()
    group = f"{settings.topic_prefix}profiles"
    admin = admin_client_of(settings)
    beyond = ConsumerGroupTopicPartitions(group, [TopicPartition(topics.events.name, 0, 1_000_000)])
    wait_until(lambda: _is_empty(settings, group), "the end of the session")
    admin.alter_consumer_group_offsets([beyond])[group].result()
    with cluster(settings, tmp_path) as workers:
        worker = start(workers, restart=False)
        assert worker.wait(120) == 2
        assert "was the topic made anew?" in worker.text()
        assert "PROFILESTREAM_ACCEPT_LOST_RECORDS" in worker.text()
    with cluster(settings, tmp_path) as workers:
        workers.run(COMMAND, "accepts", PROFILESTREAM_ACCEPT_LOST_RECORDS="true")
        send(settings, topics.events, records(200))
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the new records")


def _is_empty(settings: Settings, group: str) -> bool:
    described = admin_client_of(settings).describe_consumer_groups([group])[group].result()
    return bool(described.state.name == "EMPTY")


@pytest.mark.broker
def test_a_source_topic_made_anew_is_read_from_its_start(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send(settings, topics.events, records(200))
    with cluster(settings, tmp_path) as workers:
        worker = start(workers, restart=False)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the records")
        worker.kill()
        worker.wait()
    admin = admin_client_of(settings)
    admin.delete_topics([topics.events.name])[topics.events.name].result()
    wait_until(lambda: topics.events.name not in admin.list_topics(timeout=10).topics, "the deletion")
    create_topics(settings)
    send(settings, topics.events, records(100))
    with cluster(settings, tmp_path) as workers:
        start(workers)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the new records")
    check_exact(settings, Counter(KEYS[number % len(KEYS)] for part in (200, 100) for number in range(part)))


@pytest.mark.broker
def test_deleted_source_records_are_noticed(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send(settings, topics.events, records(200))
    with cluster(settings, tmp_path) as workers:
        worker = start(workers, restart=False)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the records")
        worker.kill()
        worker.wait()
    send(settings, topics.events, records(200))
    everything = [TopicPartition(topics.events.name, partition, -1) for partition in range(topics.events.partitions)]
    for future in admin_client_of(settings).delete_records(everything).values():
        future.result()
    with cluster(settings, tmp_path) as workers:
        worker = start(workers, restart=False)
        assert worker.wait(120) == 2
        assert "were deleted before they were absorbed" in worker.text()


@pytest.mark.broker
def test_source_records_deleted_while_a_worker_runs_are_noticed(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"session_timeout_ms": 60_000})  # its sleep must not end its membership
    topics = build_topics(settings)
    send(settings, topics.events, records(200))
    with cluster(settings, tmp_path) as workers:
        worker = start(workers, restart=False)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the records")
        worker.kill(signal.SIGSTOP)
        for first in (200, 400):  # a fetch that is under way may still bring the first part
            send(settings, topics.events, records(200, first))
        everything = [TopicPartition(topics.events.name, part, -1) for part in range(topics.events.partitions)]
        for future in admin_client_of(settings).delete_records(everything).values():
            future.result()
        worker.kill(signal.SIGCONT)
        assert worker.wait(120) == 4
        assert "were deleted before they were read" in worker.text()


@pytest.mark.broker
def test_local_rows_of_another_changelog_are_thrown_away(settings: Settings, tmp_path: Path) -> None:
    topics = build_topics(settings)
    send(settings, topics.events, records(200))
    with cluster(settings, tmp_path) as workers:
        worker = start(workers, restart=False)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the records")
        worker.kill()
        worker.wait()
    admin, changelog = admin_client_of(settings), topics.profiles_changelog
    admin.delete_topics([changelog.name])[changelog.name].result()
    wait_until(lambda: changelog.name not in admin.list_topics(timeout=10).topics, "the deletion")
    create_topics(settings)
    send(settings, topics.events, records(100))
    with cluster(settings, tmp_path) as workers:
        worker = start(workers)
        workers.wait_until(lambda: all_absorbed(settings, topics.events), "the new records")
        assert "the changelog topic was made anew" in worker.text()
    rows = newest(read_all(settings, changelog.name))
    assert {int(value) for value in rows.values()} == {2}


@pytest.mark.broker
def test_group_metadata_has_the_layout_of_librdkafka(settings: Settings) -> None:
    topics = build_topics(settings)
    group = f"{settings.topic_prefix}layout"
    consumer = committed_consumer(settings, group, **{"group.instance.id": "one"})
    consumer.subscribe([topics.events.name])
    deadline = time.monotonic() + 30
    while not consumer.assignment():
        consumer.poll(0.1)
        assert time.monotonic() < deadline, "no partitions were assigned"
    theirs = consumer.consumer_group_metadata()
    member = consumer.memberid()
    consumer.close()
    generation = int.from_bytes(theirs[7:11], "little")
    assert generation > 0
    assert pack_group_metadata(group, generation, member, "one") == theirs


@pytest.mark.broker
def test_a_killed_worker_with_its_identity_goes_on_without_waiting_for_the_session(
    settings: Settings, tmp_path: Path
) -> None:
    topics = build_topics(settings)
    patient = settings.model_copy(update={"session_timeout_ms": 60_000})
    send(patient, topics.events, records(100))
    with cluster(patient, tmp_path) as workers:
        worker = start(workers)
        workers.wait_until(lambda: all_absorbed(patient, topics.events), "the first records")
        worker.kill()
        send(patient, topics.events, records(100))
        workers.wait_until(lambda: all_absorbed(patient, topics.events), "records after the kill", 45)
    check_exact(patient, Counter(KEYS[number % len(KEYS)] for _ in range(2) for number in range(100)))
