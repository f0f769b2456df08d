"""One batch, one transaction, and whose fault it is when it fails."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from faust.types import TP

from agents.admin import create_topics
from agents.errors import AgentError, FencedError, SetupError
from agents.runtime.absorber import Absorber, Work, start_producer
from agents.runtime.batch import Batch
from agents.runtime.clients import committed_consumer
from agents.runtime.crashes import CrashRecord
from agents.runtime.metrics import Metrics
from agents.runtime.outbox import MOST_HELD
from agents.runtime.table import Table
from agents.runtime.transaction import Transaction
from agents.settings import Settings
from agents.topics import build_topics
from tests.agents.runtime.test_positions import A, run
from tests.broker.support import broker_settings, read_all, wait_for_coordinator

BATCH = Batch({A: run(A, 0, 1)})


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data")
    create_topics(made)
    return made


@pytest.fixture
def producer(settings: Settings) -> Iterator[Producer]:
    made = start_producer(settings, settings.topic_prefix)
    yield made
    made.purge()


def absorber(
    settings: Settings,
    producer: Producer,
    crashes: CrashRecord,
    work: Work,
    table: Table | None = None,
    metadata: Callable[[], object] = lambda: b"",
) -> Absorber:
    return Absorber(settings, "test", producer, table, crashes, Metrics(), work, metadata)


@pytest.mark.broker
def test_a_batch_is_not_suspected_when_the_producer_is_fenced(
    settings: Settings, producer: Producer, tmp_path: Path
) -> None:
    topic = build_topics(settings).outcomes.name

    def work(_: Batch, transaction: Transaction) -> None:
        for value in [b"1"] * (MOST_HELD + 1):  # fewer are held until the work is done
            transaction.send(topic, 0, None, value)
        producer.flush()
        start_producer(settings, settings.topic_prefix)  # another process with this one's name
        transaction.send(topic, 0, None, b"2")
        with suppress(KafkaException):
            producer.flush()  # the broker refuses it
        transaction.send(topic, 0, None, b"3")

    with pytest.raises(FencedError, match="the transaction is lost"):
        absorber(settings, producer, CrashRecord(tmp_path / "crashes.json"), work).absorb(BATCH)
    assert not (tmp_path / "crashes.json").exists()
    with pytest.raises(FencedError):
        absorber(settings, producer, CrashRecord(tmp_path / "crashes.json"), work).absorb(BATCH)


@pytest.mark.broker
def test_a_batch_is_not_suspected_when_the_disk_fails(settings: Settings, producer: Producer, tmp_path: Path) -> None:
    def work(*_: object) -> None:
        raise SetupError("cannot read the local state")

    with pytest.raises(SetupError):
        absorber(settings, producer, CrashRecord(tmp_path / "crashes.json"), work).absorb(BATCH)
    assert not (tmp_path / "crashes.json").exists()


@pytest.mark.broker
def test_a_record_that_is_too_long_is_the_fault_of_the_work(
    settings: Settings, producer: Producer, tmp_path: Path
) -> None:
    topic = build_topics(settings).outcomes.name

    def work(_: Batch, transaction: Transaction) -> None:
        transaction.send(topic, 0, None, b"x" * 2_000_000)

    with pytest.raises(AgentError) as failed:
        absorber(settings, producer, CrashRecord(tmp_path / "crashes.json"), work).absorb(BATCH)
    assert isinstance(failed.value.__cause__, KafkaException)
    assert (tmp_path / "crashes.json").exists()


@pytest.mark.broker
def test_a_row_that_is_too_long_ends_as_a_dead_letter(settings: Settings, producer: Producer, tmp_path: Path) -> None:
    topics, path = build_topics(settings), tmp_path / "crashes.json"
    events = TP(topics.events.name, 0)
    table = Table(tmp_path / "rows", topics.profiles_changelog.name)
    table.open(frozenset({0}))
    nobody = committed_consumer(settings, f"{settings.topic_prefix}group")  # of no group yet: offsets of nobody

    wait_for_coordinator(nobody, events)

    def work(batch: Batch, transaction: Transaction) -> None:
        for record in batch.runs.get(events, ()):
            transaction.write(0, b"%d" % record.offset, b"x" * 2_000_000 * record.offset)

    def absorb() -> None:
        made = absorber(settings, producer, CrashRecord(path), work, table, nobody.consumer_group_metadata)
        made.absorb(Batch({events: run(events, 0, 1)}))

    try:
        for _ in range(4):  # three times as a whole, then the record by itself
            with pytest.raises(AgentError):
                absorb()
            producer.abort_transaction(10)
        absorb()
        assert not path.exists()
        assert table.read(0, [b"0", b"1"]) == [b"", None]
        (letter,) = read_all(settings, topics.dead_letters.name)
        assert dict(letter.headers)["reason"] == b"agent_failed"
        assert b"MSG_SIZE_TOO_LARGE" in dict(letter.headers)["traceback"]
    finally:
        nobody.close()
        table.close()


@pytest.mark.broker
def test_what_is_logged_of_a_failure_says_where_but_names_no_user(
    settings: Settings, producer: Producer, tmp_path: Path
) -> None:
    def work(*_: object) -> None:
        raise KeyError("user-1234")

    with pytest.raises(AgentError) as failed:
        absorber(settings, producer, CrashRecord(tmp_path / "crashes.json"), work).absorb(BATCH)
    said = str(failed.value)
    assert "KeyError" in said
    assert "test_absorber.py" in said
    assert "user-1234" not in said
    assert "user-1234" in (tmp_path / "crashes.json").read_text()
