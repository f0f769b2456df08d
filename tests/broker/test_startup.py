"""Wrong settings and missing things end a worker with a message that says how to mend it; SIGTERM ends it at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agents.admin import check_topics, create_topics
from agents.errors import SetupError
from agents.runtime.clients import admin_client
from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.support import ROOT, Cluster, broker_settings, cluster, environment, wait_until
from tests.conftest import free_port

KINDS = ["profiles", "similarity", "scorer", "evaluation"]
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 10


def run_worker(kind: str, variables: dict[str, str], timeout_s: float = START_TIMEOUT_S) -> tuple[int, str]:
    """Exit code and standard error of a worker that must end by itself."""
    command = [sys.executable, "-m", "agents.cli", "worker", kind]
    ended = subprocess.run(
        command,
        env={**os.environ, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return ended.returncode, ended.stderr


def settled(workers: Cluster, index: int = 0) -> bool:
    """Whether a worker says that it works."""
    text = workers.workers[index].text()
    return "works" in text


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    return broker_settings(kafka, unique, tmp_path / "data")


@pytest.mark.parametrize("kind", KINDS)
def test_broker_down(kind: str, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    variables = {"PROFILESTREAM_BOOTSTRAP_SERVERS": address, "PROFILESTREAM_DATA_DIR": str(tmp_path)}
    code, said = run_worker(kind, variables)
    assert code == 4
    assert address in said
    assert "PROFILESTREAM_BOOTSTRAP_SERVERS" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROFILESTREAM_HISTORY_SIZE", "-1"),
        ("PROFILESTREAM_SIMILARITY", "euclid"),
        ("PROFILESTREAM_INSTANCE", "a b"),
        ("PROFILESTREAM_INTEREST_ALPHA", "high"),
    ],
)
def test_wrong_setting(name: str, value: str) -> None:
    code, said = run_worker("profiles", {name: value})
    assert code == 2
    assert f"{name}={value!r}" in said
    assert "Traceback" not in said


@pytest.mark.broker
@pytest.mark.parametrize("kind", KINDS)
def test_missing_topics(kind: str, settings: Settings) -> None:
    code, said = run_worker(kind, environment(settings))
    assert code == 2
    assert "is missing: profilestream topics create" in said


@pytest.mark.broker
def test_wrong_partition_count(settings: Settings) -> None:
    create_topics(settings)
    code, said = run_worker("profiles", {**environment(settings), "PROFILESTREAM_USER_PARTITIONS": "6"})
    assert code == 2
    assert "PROFILESTREAM_USER_PARTITIONS=4" in said
    code, said = run_worker("similarity", {**environment(settings), "PROFILESTREAM_ITEM_PARTITIONS": "6"})
    assert code == 2
    assert "PROFILESTREAM_ITEM_PARTITIONS=4" in said


@pytest.mark.broker
def test_a_compacted_topic_that_is_not_compacted(settings: Settings) -> None:
    from confluent_kafka.admin import NewTopic

    topics = build_topics(settings)
    admin = admin_client(settings)
    admin.create_topics([NewTopic(topics.neighbours.name, topics.neighbours.partitions, 1)])[
        topics.neighbours.name
    ].result()
    create_topics(settings)
    wanted = {topic.name for topic in topics.all()}
    wait_until(lambda: wanted <= set(admin.list_topics(timeout=10).topics), "the topics")
    with pytest.raises(SetupError, match=r"cleanup\.policy=compact"):
        check_topics(settings)


@pytest.mark.broker
@pytest.mark.parametrize("kind", KINDS)
def test_unwritable_data_directory(kind: str, settings: Settings, tmp_path: Path) -> None:
    create_topics(settings)
    (tmp_path / "a file").touch()
    variables = {**environment(settings), "PROFILESTREAM_DATA_DIR": str(tmp_path / "a file" / "data")}
    code, said = run_worker(kind, variables)
    assert code == 2
    assert "PROFILESTREAM_DATA_DIR" in said


@pytest.mark.broker
def test_wrong_model_folder(settings: Settings, tmp_path: Path) -> None:
    create_topics(settings)
    code, said = run_worker("scorer", {**environment(settings), "PROFILESTREAM_BERT_MODEL": str(tmp_path)})
    assert code == 2
    assert "PROFILESTREAM_BERT_MODEL" in said
    assert "config.json" in said


@pytest.mark.broker
@pytest.mark.parametrize("kind", KINDS)
def test_a_second_worker_on_one_data_directory(kind: str, settings: Settings, tmp_path: Path) -> None:
    create_topics(settings)
    with cluster(settings, tmp_path) as workers:
        workers.start(kind)
        workers.wait_until(lambda: settled(workers), "the first worker")
        code, said = run_worker(kind, {**environment(settings), "PROFILESTREAM_INSTANCE": "1"})
    assert code == 2
    assert "another worker uses" in said
    assert "PROFILESTREAM_INSTANCE" in said


@pytest.mark.broker
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker(kind: str, number: signal.Signals, settings: Settings, tmp_path: Path) -> None:
    create_topics(settings)
    with cluster(settings, tmp_path) as workers:
        worker = workers.start(kind, restart=False)
        workers.wait_until(lambda: settled(workers), "the worker")
        worker.kill(number)
        assert worker.wait(STOP_TIMEOUT_S) == 0


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_sigterm_ends_a_worker_although_the_broker_is_away(kind: str, unique: str, tmp_path: Path) -> None:
    from agents.local.kafka import LocalKafka

    broker = LocalKafka(tmp_path / "kafka", free_port(), free_port())
    broker.start()
    try:
        settings = broker_settings(broker.bootstrap, unique, tmp_path / "data")
        create_topics(settings)
        with cluster(settings, tmp_path) as workers:
            worker = workers.start(kind, restart=False)
            workers.wait_until(lambda: settled(workers), "the worker")
            broker.stop()
            worker.kill(signal.SIGTERM)
            assert worker.wait(STOP_TIMEOUT_S) == 0
    finally:
        broker.stop()
