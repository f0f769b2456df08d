"""Processes under measurement, and what the broker knows: offsets, bytes on disk."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from agents.admin import create_topics
from agents.local.kafka import LocalKafka
from agents.runtime.clients import committed_consumer
from agents.settings import Settings, read_settings
from agents.topics import Topic

ROOT = Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
POLL_S = 0.1
STOP_TIMEOUT_S = 15.0


def cpu_s_of(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def stolen_s() -> float:
    """CPU seconds so far, of all cores, that were wanted here while the host ran other machines."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / TICKS_PER_S


@dataclass
class Measured:
    """A process, its CPU seconds and its largest memory so far."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    _ended: bool = field(default=False)

    def sample(self) -> None:
        """Read the process's counters. Raises `RuntimeError` with the end of its log if it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        self.cpu_s = cpu_s_of(self.process.pid)
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                self.peak_mb = int(line.split()[1]) / 1024


@contextmanager
def running(name: str, command: Sequence[str], environment: dict[str, str], folder: Path) -> Iterator[Measured]:
    """A process for as long as the context; ended with SIGTERM, then SIGKILL."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield Measured(name, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def settings_of(broker: LocalKafka, folder: Path, prefix: str, **more: Any) -> Settings:
    """Settings of one part of a run: topics, which it makes, and a folder of its own."""
    settings = read_settings(bootstrap_servers=broker.bootstrap, topic_prefix=prefix, data_dir=folder / prefix, **more)
    create_topics(settings)
    return settings


def variables_of(settings: Settings) -> dict[str, str]:
    """Variables that lead a process to the same broker, topics and folder."""
    return {
        "PROFILESTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "PROFILESTREAM_TOPIC_PREFIX": settings.topic_prefix,
        "PROFILESTREAM_DATA_DIR": str(settings.data_dir),
        "PROFILESTREAM_USER_PARTITIONS": str(settings.user_partitions),
        "PROFILESTREAM_ITEM_PARTITIONS": str(settings.item_partitions),
    }


def worker(kind: str, nice: int = 0) -> list[str]:
    """The command line of a worker; `nice`: by so much it gives way to others on its cores."""
    command = [sys.executable, "-m", "agents.cli", "worker", kind]
    return ["nice", "-n", str(nice), *command] if nice else command


@contextmanager
def kafka(folder: Path, port: int) -> Iterator[LocalKafka]:
    """A broker of our own for the run."""
    broker = LocalKafka(folder, port, port + 1)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Offsets:
    """Committed offsets of groups, asked for without joining them.

    Not by an admin client: its `list_consumer_group_offsets` ends the process with a segmentation fault when the
    group's coordinator is not ready (librdkafka 2.16).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readers: dict[str, Consumer] = {}

    def committed(self, group: str, topic: Topic) -> int:
        """Records of a topic that a group has absorbed, transaction markers included; 0 before its first commit."""
        if group not in self._readers:
            options = {"isolation.level": "read_uncommitted"}
            self._readers[group] = committed_consumer(self._settings, group, **options)
        asked = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
        try:
            found = self._readers[group].committed(asked, 10)
        except KafkaException:
            return 0
        return sum(max(position.offset, 0) for position in found)


def wait_until(done: Callable[[], bool], watched: Sequence[Measured], what: str, timeout_s: float = 300.0) -> float:
    """Wait for a condition; returns the time it came true (perf_counter). Samples the watched processes."""
    deadline = time.perf_counter() + timeout_s
    while not done():
        for process in watched:
            process.sample()
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{what} did not come within {timeout_s:.0f} s")
        time.sleep(POLL_S)
    now = time.perf_counter()
    for process in watched:
        process.sample()
    return now


@dataclass(frozen=True)
class Pace:
    """What the events of a backlog took, from the first committed batch on."""

    began: float
    """When that was there, `perf_counter`."""
    events_per_s: int
    cpu_us_per_event: float


def pace_of(
    absorbed: Callable[[], int], done: Callable[[], bool], workers: Sequence[Measured], count: int, timeout_s: float
) -> Pace:
    """Wait until `count` events are worked off; `absorbed`: events in committed batches so far."""
    began = wait_until(lambda: absorbed() > 0, workers, "the first batch")
    first, cpu_before = absorbed(), sum(one.cpu_s for one in workers)
    ended = wait_until(done, workers, "the end of the backlog", timeout_s)
    left, cpu_s = count - first, sum(one.cpu_s for one in workers) - cpu_before
    return Pace(began, round(left / (ended - began)), round(cpu_s / left * 1e6, 1))


def topic_bytes(broker: LocalKafka, topic: Topic) -> int:
    """Bytes of a topic's log segments on disk, compressed as the producer sent them."""
    segments = broker.directory.rglob(f"{topic.name}-*/*.log")
    return sum(path.stat().st_size for path in segments)


def machine() -> dict[str, Any]:
    """Where and with what a result was measured."""
    names = [
        line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    packages = ("faust-streaming", "aiokafka", "confluent-kafka", "numpy", "scipy", "rocksdict", "msgspec")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }
