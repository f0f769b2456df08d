"""How long users wait when a worker is killed: it starts again under its name, or a standby takes its partitions over.

    python -m benchmarks.recovery [--runs N] [--users N] [--out FILE]

Two profiles workers share the users, and one is killed with SIGKILL. From then on a purchase of each of its partitions
is sent every tenth of a second; measured is the time from the kill until every partition has answered one that was sent
after the kill. A broker of its own is started beside the workers; nothing else should run on the machine.
"""

import argparse
import json
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

from confluent_kafka import Message, Producer
from rich.console import Console
from rich.table import Table

from agents.admin import create_topics
from agents.local.kafka import LocalKafka
from agents.partition import partition_of, partitions_of
from agents.runtime.clients import plain_producer
from agents.settings import Settings, read_settings
from agents.topics import app_id, build_topics
from benchmarks.harness import Measured, Offsets, kafka, machine, running, variables_of, wait_until, worker
from benchmarks.latency import candidates_of
from benchmarks.workload import ITEMS, event

SESSION_S = 10.0
EVENTS_A_USER = 10
EVERY_S = 0.1
TIMEOUT_S = 60.0
RESULTS = Path(__file__).parent / "results" / "recovery.json"


class Group:
    """Two profiles workers on the partitions of one topic."""

    def __init__(self, settings: Settings, folder: Path, stack: ExitStack) -> None:
        self.settings, self._folder, self._stack = settings, folder, stack
        self._starts = 0

    def start(self, instance: str) -> Measured:
        """Start a worker under this name."""
        self._starts += 1
        variables = {
            **variables_of(self.settings),
            "PROFILESTREAM_SESSION_TIMEOUT_MS": str(self.settings.session_timeout_ms),
            "PROFILESTREAM_STANDBY": str(self.settings.standby),
            "PROFILESTREAM_INSTANCE": instance,
        }
        name = f"{self.settings.topic_prefix}{instance}-{self._starts}"
        return self._stack.enter_context(running(name, worker("profiles"), variables, self._folder))


@contextmanager
def group(broker: LocalKafka, folder: Path, users: int, *, standby: bool) -> Iterator[tuple[Group, list[Measured]]]:
    """Two workers that have absorbed the events of so many users, and follow each other if `standby`."""
    prefix = "standby-" if standby else "restart-"
    settings = read_settings(
        bootstrap_servers=broker.bootstrap,
        topic_prefix=prefix,
        data_dir=folder / prefix,
        session_timeout_ms=round(SESSION_S * 1000),
        standby=standby,
    )
    create_topics(settings)
    topic, count = build_topics(settings).events, users * EVENTS_A_USER
    producer = plain_producer(settings, **{"linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    keys = [b"u%d" % user for user in range(users)]
    places = list(zip(keys, partitions_of(keys, topic.partitions).tolist(), strict=True))
    for number, (key, partition) in enumerate(places * EVENTS_A_USER):
        producer.produce(topic.name, event(key, b"i%d" % (number % ITEMS), b"view", time.time()), key, partition)
        producer.poll(0)
    producer.flush(60)
    offsets = Offsets(settings)
    with ExitStack() as stack:
        made = Group(settings, folder, stack)
        workers = [made.start("1"), made.start("2")]
        wait_until(lambda: all("works on partitions [" in one.log.read_text() for one in workers), workers, "the group")
        wait_until(
            lambda: offsets.committed(app_id(settings, "profiles"), topic) >= count, workers, "the users' events"
        )
        if standby:
            wait_until(lambda: all(_follows(one) for one in workers), workers, "the standby stores")
        yield made, workers


def _follows(worker: Measured) -> bool:
    return "standby for partitions [" in worker.log.read_text()


def _partitions(worker: Measured) -> list[int]:
    owned = [line for line in worker.log.read_text().splitlines() if "works on partitions [" in line][-1]
    return [int(number) for number in owned.rsplit("[", 1)[1].split("]")[0].split(",") if number.strip()]


class Probe:
    """Sends purchases of users of some partitions, and waits for candidates of each partition."""

    def __init__(self, settings: Settings, partitions: list[int]) -> None:
        topic = build_topics(settings).events
        self._topic, self._partitions = topic.name, partitions
        keys = (b"probe-%d" % number for number in range(1_000_000))
        self._keys: dict[int, bytes] = {}
        while not set(partitions) <= set(self._keys):
            key = next(keys)
            self._keys.setdefault(partition_of(key, topic.partitions), key)
        self._producer: Producer = plain_producer(settings, **{"linger.ms": 0})
        self._sent: dict[str, tuple[int, float]] = {}
        """Name of the list → partition, time it was sent at."""
        self._reader = candidates_of(settings)

    def _send(self) -> None:
        for partition in self._partitions:
            key, now = self._keys[partition], time.perf_counter()

            def delivered(_: object, message: Message, at: float = now) -> None:
                self._sent[f"{self._topic}-{message.partition()}-{message.offset()}"] = (message.partition() or 0, at)

            value = event(key, b"i1", b"purchase", time.time())
            self._producer.produce(self._topic, value, key, partition, on_delivery=delivered)
        self._producer.poll(0)

    def until_answered(self, began: float) -> float:
        """Seconds from `began` (perf_counter) until each partition has answered a purchase that was sent since."""
        first: dict[int, float] = {}
        while len(first) < len(self._partitions):
            if time.perf_counter() - began > TIMEOUT_S:
                raise RuntimeError(f"partitions {set(self._partitions) - set(first)} do not answer")
            self._send()
            time.sleep(EVERY_S)
            for name, read_at in sorted(self._reader.read_at.copy().items(), key=itemgetter(1)):
                partition, sent_at = self._sent.get(name, (0, 0.0))
                if sent_at > began:
                    first.setdefault(partition, read_at)
        return max(first.values()) - began

    def close(self) -> None:
        """End the reader."""
        self._producer.flush(10)
        self._reader.close()


def restart(broker: LocalKafka, folder: Path, users: int, runs: int) -> list[float]:
    """A worker is killed and started again at once, with its name and its disk."""
    found = []
    with group(broker, folder, users, standby=False) as (made, (first, _)):
        probe, killed = Probe(made.settings, _partitions(first)), first
        try:
            for _ in range(runs):
                probe.until_answered(time.perf_counter())
                killed.process.kill()
                killed.process.wait()
                began = time.perf_counter()
                killed = made.start("1")
                found.append(probe.until_answered(began))
        finally:
            probe.close()
    return found


def take_over(broker: LocalKafka, folder: Path, users: int) -> float:
    """A worker is killed for good; the other has standby stores of its partitions."""
    with group(broker, folder, users, standby=True) as (made, (killed, _)):
        probe = Probe(made.settings, _partitions(killed))
        try:
            probe.until_answered(time.perf_counter())
            killed.process.kill()
            killed.process.wait()
            return probe.until_answered(time.perf_counter())
        finally:
            probe.close()


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="kills of the worker that starts again")
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--port", type=int, default=19492)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # broker and workers must end with this process
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch) / "kafka", arguments.port) as broker:
        restarts = restart(broker, Path(scratch), arguments.users, arguments.runs)
        taken_over = take_over(broker, Path(scratch), arguments.users)
    results: dict[str, Any] = {
        "users": arguments.users,
        "session_timeout_s": SESSION_S,
        "restart_s": [round(seconds, 2) for seconds in restarts],
        "take_over_s": round(taken_over, 2),
    }
    table = Table("from the kill of a worker until all its partitions answer", "seconds")
    table.add_row("started again under its name: median", f"{statistics.median(restarts):.2f}")
    table.add_row("started again under its name: longest", f"{max(restarts):.2f}")
    table.add_row(f"taken over by a standby, session timeout {SESSION_S:g} s", f"{taken_over:.2f}")
    Console().print(table)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({**results, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
