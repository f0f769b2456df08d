"""Apache Kafka as a background process: starts, answers, says what is wrong, ends for certain."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from agents.local.errors import LocalKafkaError
from agents.local.java import POM, find_java, kafka_jars
from agents.local.kafka import LocalKafka
from agents.local.process import command_line
from tests.conftest import free_port


@pytest.fixture
def broker(tmp_path: Path) -> LocalKafka:
    return LocalKafka(tmp_path / "broker", free_port(), free_port())


def fake_java(folder: Path, says: str) -> dict[str, str]:
    """An environment whose `java` only says its version."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return {"JAVA_HOME": str(folder), "PATH": os.defpath}


@pytest.mark.broker
def test_starts_answers_keeps_its_data_and_stops(broker: LocalKafka) -> None:
    try:
        assert broker.start()
        status = broker.status()
        assert status.running
        assert status.answering
        assert status.pid is not None
        assert not broker.start(), "a second start finds it running"
        assert broker.status().pid == status.pid
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.create_topics([NewTopic("kept", 2)])["kept"].result(30)

        elsewhere = LocalKafka(broker.directory, free_port(), free_port())
        with pytest.raises(LocalKafkaError, match="with other ports"):
            elsewhere.start()

        assert broker.stop()
        assert not command_line(status.pid)
        assert not broker.status().running
        assert not broker.stop(), "there is nothing left to stop"

        assert broker.start()
        assert "kept" in AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics
    finally:
        broker.stop()


@pytest.mark.broker
def test_two_starts_at_a_time_make_one_broker(broker: LocalKafka) -> None:
    started: list[bool] = []
    threads = [threading.Thread(target=lambda: started.append(broker.start())) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(started) == [False, True]
    finally:
        broker.stop()


@pytest.mark.broker
def test_several_brokers_run_side_by_side(kafka: str, broker: LocalKafka) -> None:
    try:
        assert broker.start()
        assert kafka != broker.bootstrap
        assert AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).brokers
    finally:
        broker.stop()


def test_status_of_a_broker_that_never_ran(broker: LocalKafka) -> None:
    status = broker.status()
    assert not status.running
    assert not status.answering
    assert status.pid is None
    assert not broker.stop()


def test_a_pid_that_belongs_to_another_program_is_not_the_broker(broker: LocalKafka) -> None:
    broker.directory.mkdir()
    broker.pid_file.write_text(str(os.getpid()))
    assert not broker.status().running
    assert not broker.stop()


@pytest.mark.broker
def test_a_port_in_use_is_named(broker: LocalKafka) -> None:
    with socket.create_server(("127.0.0.1", broker.port)), pytest.raises(LocalKafkaError, match=str(broker.port)):
        broker.start()
    assert not broker.status().running


@pytest.mark.broker
def test_a_broker_that_cannot_run_says_why_and_leaves_no_process(broker: LocalKafka) -> None:
    broker.start()
    broker.stop()
    data = broker.directory / "data" / "meta.properties"
    data.write_text(data.read_text().replace("node.id=1", "node.id=2"))
    with pytest.raises(LocalKafkaError, match=r"(?s)server\.log.*node"):
        broker.start()
    assert not broker.status().running


def test_missing_java_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalKafkaError, match=r"no java in PATH.*JAVA_HOME"):
        find_java({"PATH": str(tmp_path)})


def test_wrong_java_home_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalKafkaError, match=r"no java in JAVA_HOME"):
        find_java({"PATH": os.defpath, "JAVA_HOME": str(tmp_path)})


@pytest.mark.parametrize("says", ['java version "1.8.0_402"', 'openjdk version "11.0.2" 2019-01-15'])
def test_old_java_is_refused(tmp_path: Path, says: str) -> None:
    with pytest.raises(LocalKafkaError, match="17 or later"):
        find_java(fake_java(tmp_path, says))


def test_new_java_is_taken(tmp_path: Path) -> None:
    environ = fake_java(tmp_path, 'openjdk version "21" 2023-09-19')
    assert find_java(environ) == str(tmp_path / "bin" / "java")


def test_missing_maven_is_named_where_the_jars_are_missing_too(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(LocalKafkaError, match=r"no mvn in PATH.*Install it"):
        kafka_jars(cache, {"PATH": str(tmp_path)})


def test_jars_in_the_cache_need_no_maven(cache: Path, tmp_path: Path) -> None:
    (cache / "kafka-4.1.0").mkdir(parents=True)
    assert kafka_jars(cache, {"PATH": str(tmp_path)}) == cache / "kafka-4.1.0"


def test_a_maven_that_fails_is_quoted_and_leaves_no_jars(cache: Path, tmp_path: Path) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho 'Could not resolve dependencies'\nexit 1\n")
    maven.chmod(0o755)
    with pytest.raises(LocalKafkaError, match="Could not resolve dependencies"):
        kafka_jars(cache, {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"})
    assert not (cache / "kafka-4.1.0").exists()
    assert (cache / "kafka-pom.xml").read_text() == POM
