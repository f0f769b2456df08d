"""The embedded broker carries records and ends with the one who started it."""

import os
import signal
import subprocess
import sys
import time

import pytest
from confluent_kafka import Consumer, Producer

from agents.local.embedded import PARTITIONS, EmbeddedBroker
from agents.local.errors import EmbeddedBrokerError
from agents.local.process import command_line

PATIENCE_S = 10.0


def is_gone(pid: int) -> bool:
    """Waits for the process to end."""
    deadline = time.monotonic() + PATIENCE_S
    while command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not command_line(pid)


def test_what_is_produced_is_consumed(embedded: str, unique: str) -> None:
    producer = Producer({"bootstrap.servers": embedded})
    for number in range(20):
        producer.produce(unique, key=str(number), value=b"value")
    assert producer.flush(PATIENCE_S) == 0
    consumer = Consumer({"bootstrap.servers": embedded, "group.id": unique, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([unique])
        records = consumer.consume(20, timeout=PATIENCE_S)
        assert sorted(int(record.key() or b"-1") for record in records) == list(range(20))
        assert len(consumer.list_topics(unique).topics[unique].partitions) == PARTITIONS
    finally:
        consumer.close()


def test_transactions_are_answered(embedded: str, unique: str) -> None:
    producer = Producer({"bootstrap.servers": embedded, "transactional.id": unique})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(unique, value=b"value")
    producer.commit_transaction(PATIENCE_S)


def test_the_process_is_gone_after_the_block() -> None:
    with EmbeddedBroker() as broker:
        pid = broker.pid
        assert pid is not None
        assert command_line(pid)
    assert not command_line(pid)
    with pytest.raises(EmbeddedBrokerError, match="not running"):
        _ = broker.bootstrap


def test_the_process_is_gone_after_an_error_in_the_block() -> None:
    pids: list[int | None] = []

    def fail() -> None:
        with EmbeddedBroker() as broker:
            pids.append(broker.pid)
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        fail()
    assert pids[0] is not None
    assert not command_line(pids[0])


def test_the_process_dies_with_an_owner_that_is_killed() -> None:
    code = (
        "import time\nfrom agents.local.embedded import EmbeddedBroker\n"
        "with EmbeddedBroker() as broker:\n    print(broker.pid, flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert command_line(pid)
        os.kill(owner.pid, signal.SIGKILL)
    assert is_gone(pid)


def test_two_brokers_know_nothing_of_each_other(embedded: str, unique: str) -> None:
    with EmbeddedBroker() as other:
        producer = Producer({"bootstrap.servers": embedded})
        producer.produce(unique, value=b"value")
        assert producer.flush(PATIENCE_S) == 0
        assert unique not in Producer({"bootstrap.servers": other.bootstrap}).list_topics(timeout=PATIENCE_S).topics
