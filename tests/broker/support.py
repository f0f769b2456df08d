"""Worker processes under a supervisor, and topics read whole: what broker tests are made of."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from faust.types import TP
from pydantic import SecretStr

from agents.partition import partition_of
from agents.runtime.clients import admin_client, committed_consumer, plain_producer
from agents.runtime.reading import ReadRecord, read_record
from agents.runtime.seal import SEAL_KEY
from agents.settings import ENV_PREFIX, Settings, read_settings
from agents.topics import Topic, Topics, app_id

ROOT = Path(__file__).resolve().parents[2]
RESTARTED_CODES = frozenset({3, -signal.SIGKILL})
"""What a supervisor starts again: a worker that was fenced or failed, and one that was killed."""
POLL_S = 0.05


def broker_settings(bootstrap: str, prefix: str, folder: Path, **more: object) -> Settings:
    """Settings of a test: topics and data of its own, a short session."""
    return read_settings(
        bootstrap_servers=bootstrap,
        topic_prefix=prefix,
        data_dir=folder,
        session_timeout_ms=6_000,
        **more,
    )


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables for a worker process."""
    variables = {}
    for name, value in settings.model_dump(exclude_none=True).items():
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        text = json.dumps(value) if isinstance(value, dict) else text
        variables[ENV_PREFIX + name.upper()] = value.get_secret_value() if isinstance(value, SecretStr) else text
    return variables


def wait_until(true: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Wait for a condition; fails with `what` when it does not come."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come within {timeout_s:.0f} s"
        time.sleep(POLL_S)


def wait_for_coordinator(consumer: Consumer, partition: TP) -> None:
    """Wait until the consumer's group has a coordinator; asked for offsets before, librdkafka may wait for ever."""

    def has_coordinator() -> bool:
        try:
            return bool(consumer.committed([TopicPartition(*partition)], 1.0))
        except KafkaException:
            return False

    wait_until(has_coordinator, "a coordinator of the group, which a new broker has only after a while")


@dataclass
class Supervised:
    """A worker process that is started again, with its identity, when it is killed or ends with code 3."""

    command: Sequence[str]
    variables: dict[str, str]
    log: Path
    restart: bool = True
    restarted_codes: frozenset[int] = RESTARTED_CODES
    held: bool = False
    """Left alone for now: it may end, and is not started again."""
    starts: int = 0
    kills: int = 0
    """Times that it was sent SIGKILL."""
    codes: list[int] = field(default_factory=list)
    _asked: bool = False
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the process."""
        self.starts += 1
        self._asked = False
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, env={**os.environ, **self.variables}, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
            )

    def supervise(self) -> None:
        """Start the process again if it ended as something that a supervisor restarts; fail if it ended otherwise."""
        code = self.process.poll()
        if code is None or self.held:
            return
        self.codes.append(code)
        assert self.restart, f"ended with {code}:\n{self.tail()}"
        # A signal that comes before the worker listens to it ends the process too.
        expected = self.restarted_codes | ({0, -signal.SIGTERM} if self._asked else set())
        assert code in expected, f"ended with {code}:\n{self.tail()}"
        self.start()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal."""
        self._asked |= number == signal.SIGTERM
        self.kills += number == signal.SIGKILL
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 15.0) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(timeout_s)

    def text(self) -> str:
        """All that it logged."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        """The end of its log."""
        return self.text()[-3_000:]

    def ask_to_end(self) -> None:
        """Send SIGTERM, also to one that is stopped."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it for certain."""
        if self.process.poll() is None:
            self.ask_to_end()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Cluster:
    """The worker processes of one test."""

    def __init__(self, settings: Settings, folder: Path, restarted_codes: frozenset[int] = RESTARTED_CODES) -> None:
        self.settings, self._folder, self._restarted_codes = settings, folder, restarted_codes
        self.workers: list[Supervised] = []

    def start(self, kind: str, instance: str = "1", *, restart: bool = True, **variables: str) -> Supervised:
        """Start a worker of the product."""
        return self.run(
            [sys.executable, "-m", "agents.cli", "worker", kind, "--instance", instance],
            f"{kind}-{instance}",
            restart=restart,
            **variables,
        )

    def run(self, command: Sequence[str], name: str, *, restart: bool = True, **variables: str) -> Supervised:
        """Start any process under the supervisor."""
        log, variables = self._folder / f"{name}.log", {**environment(self.settings), **variables}
        worker = Supervised(command, variables, log, restart, self._restarted_codes)
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        """End all for certain, at the same time."""
        for worker in self.workers:
            worker.ask_to_end()
        for worker in self.workers:
            worker.stop()

    def supervise(self) -> None:
        """Start again what ended and should run."""
        for worker in self.workers:
            worker.supervise()

    def wait_until(self, true: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
        """Wait for a condition while the supervisor does its work."""

        def supervised() -> bool:
            self.supervise()
            return true()

        try:
            wait_until(supervised, what, timeout_s)
        except AssertionError as exc:
            logs = "\n".join(f"== {worker.log.name}\n{worker.tail()[-1_500:]}" for worker in self.workers)
            raise AssertionError(f"{exc}\n{logs}") from exc


@contextmanager
def cluster(settings: Settings, folder: Path, restarted_codes: frozenset[int] = RESTARTED_CODES) -> Iterator[Cluster]:
    """Worker processes that end with the context."""
    made = Cluster(settings, folder, restarted_codes)
    try:
        yield made
    finally:
        made.stop()
        while _group_readers:
            _group_readers.popitem()[1].close()


def read_all(settings: Settings, topic: str) -> list[ReadRecord]:
    """Every committed record of a topic, partition by partition, offsets ascending.

    Waits for the transactions that are open at the call: an offset can be committed before the records of its
    transaction are readable.
    """
    # The broker says that a partition is at its end when the wait of a fetch is over.
    options = {"enable.partition.eof": True, "fetch.wait.max.ms": 5}
    left = _ends(settings, topic)
    consumer = committed_consumer(settings, f"{settings.topic_prefix}test", **options)
    records: list[ReadRecord] = []
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in left])
        deadline = time.monotonic() + 60
        while left:
            assert time.monotonic() < deadline, f"{topic} could not be read to {left} (partition: end)"
            for message in consumer.consume(10_000, 0.02):
                error, partition = message.error(), message.partition() or 0
                if error is None:
                    records.append(read_record(message))
                else:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    if (message.offset() or 0) >= left.get(partition, 0):
                        left.pop(partition, None)
    finally:
        consumer.close()
    return sorted(records, key=lambda record: (record.partition, record.offset))


_NO_LEADER = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}


def _ends(settings: Settings, topic: str) -> dict[int, int]:
    """Partition → its end, open transactions included; waits for leaders that are just being elected."""
    found: dict[int, int] = {}

    def asked() -> bool:
        options = {"isolation.level": "read_uncommitted"}
        consumer = committed_consumer(settings, f"{settings.topic_prefix}test", **options)
        try:
            for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
                found[partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)[1]
        except KafkaException as exc:
            if exc.args[0].code() not in _NO_LEADER:
                raise
            return False
        finally:
            consumer.close()
        return True

    wait_until(asked, f"the ends of {topic}")
    return found


def newest(records: Sequence[ReadRecord]) -> dict[tuple[int, bytes], bytes]:
    """(partition, key) → newest value, deletions and seals gone: what a compacted topic stands for."""
    rows: dict[tuple[int, bytes], bytes] = {}
    for record in records:
        place = (record.partition, record.key or b"")
        if record.key == SEAL_KEY:
            continue
        if record.value is None:
            rows.pop(place, None)
        else:
            rows[place] = record.value
    return rows


def absorbed(settings: Settings, worker: str, topic: Topic) -> dict[int, int]:
    """Committed offset of each partition; 0 before the first commit."""
    asked = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
    try:
        found = _group_reader(settings, app_id(settings, worker)).committed(asked, 10)
    except KafkaException:
        return dict.fromkeys(range(topic.partitions), 0)
    return {position.partition: max(position.offset, 0) for position in found}


_group_readers: dict[tuple[str, str], Consumer] = {}


def _group_reader(settings: Settings, group: str) -> Consumer:
    """Asks for the offsets of a group without joining it.

    Not an admin client: its `list_consumer_group_offsets` ends the process with a segmentation fault when the group's
    coordinator is not ready (librdkafka 2.16 hands the error to a consumer group that an admin client does not have).
    """
    key = (settings.bootstrap_servers, group)
    if key not in _group_readers:
        _group_readers[key] = committed_consumer(settings, group, **{"isolation.level": "read_uncommitted"})
    return _group_readers[key]


_admins: dict[str, AdminClient] = {}


def admin_client_of(settings: Settings) -> AdminClient:
    """One admin client for each broker: each has threads of its own."""
    if settings.bootstrap_servers not in _admins:
        _admins[settings.bootstrap_servers] = admin_client(settings)
    return _admins[settings.bootstrap_servers]


def drained(settings: Settings, worker: str, topic: Topic) -> bool:
    """Whether a worker has absorbed every committed record of a topic."""
    return not behind(settings, worker, topic)


def behind(settings: Settings, worker: str, topic: Topic) -> dict[int, tuple[int, int]]:
    """Partitions with records that a worker has not absorbed: (committed offset, end of the committed records)."""
    # First what is committed: a transaction between the two looks can forward records to the topic that it reads.
    committed = absorbed(settings, worker, topic)
    ends = {record.partition: record.offset + 1 for record in read_all(settings, topic.name)}
    return {partition: (committed[partition], end) for partition, end in ends.items() if committed[partition] < end}


def wait_until_drained(workers: Cluster, topics: Topics) -> None:
    """Wait until the workers of each kind have absorbed all of their source topics."""
    settings = workers.settings
    for worker, topic in (
        ("profiles", topics.events),
        ("profiles", topics.users),
        ("profiles", topics.requests),
        ("similarity", topics.cooccurrence),
        ("scorer", topics.candidates),
        ("profiles", topics.recommendations),
    ):
        workers.wait_until(lambda w=worker, t=topic: drained(settings, w, t), f"the end of {topic.name}", 120)  # type: ignore[misc]


def send(settings: Settings, topic: Topic, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
    """Send (key, value) records to the partitions of their keys; all are delivered when it returns."""
    producer = plain_producer(settings, **{"queue.buffering.max.messages": 1_000_000})
    errors: list[object] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            errors.append(error)

    for key, value in records:
        partition = partition_of(key, topic.partitions) if key else 0
        producer.produce(topic.name, value, key, partition, on_delivery=delivered)
        producer.poll(0)
    assert producer.flush(30) == 0
    assert not errors
