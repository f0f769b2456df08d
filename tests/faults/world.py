"""One pipeline under test, and the loop in which faults strike while events flow.

              ┌─ traffic: a few records every moment
play ── loop ─┼─ faults: each a generator that acts, says what it waits for, and acts again
              └─ supervisor: what ended is started again
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agents.admin import create_topics
from agents.replay import send_catalogue
from agents.settings import Settings, read_settings
from tests.broker.comparison import differences, local_differences, wait_for_neighbours, wait_until_settled
from tests.broker.ledger import Ledger, read_ledger
from tests.broker.support import POLL_S, RESTARTED_CODES, Cluster, Supervised, cluster
from tests.faults.nodes import ZONES, Nodes
from tests.faults.traffic import Sent, Traffic, catalogue

SESSION_S = 4.0
"""A worker that is silent for so long loses its partitions."""
FIRST_WORKERS = (("profiles", "1"), ("profiles", "2"), ("similarity", "1"), ("scorer", "1"))
BROKER_AWAY = 4
FAULT_TIMEOUT_S = 90.0


@dataclass(frozen=True)
class Until:
    """What a fault waits for."""

    true: Callable[[], bool]
    what: str


Strike = Iterator[float | Until]
"""What a fault does, in steps; each yields seconds or a condition to wait for before the next."""


class Fault(Protocol):
    """Something that goes wrong, and that comes to its end by itself."""

    def strike(self, world: "World") -> Strike:
        """Begin, and end."""
        ...


@dataclass
class _Running:
    fault: Fault
    strike: Strike
    wait: float | Until = 0.0
    since: float = field(default_factory=time.monotonic)

    def due(self, now: float) -> bool:
        """Whether it is time for the next step."""
        if isinstance(self.wait, Until):
            assert now - self.since < FAULT_TIMEOUT_S, f"{self.fault}: {self.wait.what} did not come"
            return self.wait.true()
        return now - self.since >= self.wait

    def step(self, now: float) -> bool:
        """Do the next step; False: there is none."""
        wait = next(self.strike, None)
        self.wait, self.since = wait if wait is not None else 0.0, now
        return wait is not None


class World:
    """Brokers, network, workers and traffic of one pipeline; what faults act upon."""

    def __init__(self, nodes: Nodes, settings: Settings, folder: Path, workers: Cluster, undo: ExitStack) -> None:
        self.nodes, self.settings, self.folder, self.workers, self._undo = nodes, settings, folder, workers, undo
        self.traffic = Traffic(settings)
        self.exact = False
        """Whether a test has compared everything and found no difference."""
        self.flowing = False
        """Whether `play` has records left to send."""
        self.removed: list[Supervised] = []
        self._named: dict[tuple[str, str], Supervised] = {}

    def worker(self, kind: str, instance: str = "1") -> Supervised:
        """A worker that was started."""
        return self._named[kind, instance]

    def start(self, kind: str, instance: str) -> Supervised:
        """Start a worker; its network is the zone that its instance belongs to."""
        zone = ZONES[(int(instance) - 1) % len(ZONES)]
        module = ["tests.faults.raising_worker"] if kind == "profiles" else ["agents.cli", "worker", kind]
        worker = self.workers.run(
            [sys.executable, "-m", *module],
            f"{kind}-{instance}",
            PROFILESTREAM_BOOTSTRAP_SERVERS=self.nodes.bootstrap_of(zone),
            PROFILESTREAM_INSTANCE=instance,
        )
        self._named[kind, instance] = worker
        return worker

    def forget(self, kind: str, instance: str) -> None:
        """A worker was removed for good."""
        worker = self._named.pop((kind, instance))
        self.workers.workers.remove(worker)
        self.removed.append(worker)

    def data_of(self, kind: str, instance: str = "1") -> Path:
        """The folder of a worker's local state."""
        return self.settings.data_dir / f"{self.settings.topic_prefix}{kind}-{instance}"

    def at_end(self, undo: Callable[[], object]) -> None:
        """Call this when the world ends and all workers have ended."""
        self._undo.callback(undo)

    def play(self, sent: Iterable[Sent], rate: float, plan: Sequence[tuple[float, Fault]]) -> None:
        """Send records at `rate` per second and let each fault strike at its second; until all is over."""
        began, waiting, left = time.monotonic(), sorted(plan, key=lambda entry: entry[0]), iter(sent)
        running: list[_Running] = []
        count, self.flowing = 0, True
        while self.flowing or waiting or running:
            now = time.monotonic()
            while self.flowing and count < (now - began) * rate:
                record = next(left, None)
                self.flowing = record is not None
                if record is not None:
                    self.traffic.send(record)
                    count += 1
            while waiting and now - began >= waiting[0][0]:
                _, fault = waiting.pop(0)
                running.append(_Running(fault, fault.strike(self)))
            self.workers.supervise()
            running = [one for one in running if not one.due(now) or one.step(now)]
            time.sleep(POLL_S)

    def settle(self) -> Ledger:
        """Mend everything, wait until all is absorbed and neighbours are fresh; returns what the log says."""
        self.nodes.mend()
        self.traffic.flush()
        wait_until_settled(self.workers, self.settings)
        ledger = read_ledger(self.settings)
        wait_for_neighbours(self.workers, self.settings, ledger)
        return ledger

    def differences(self, ledger: Ledger) -> list[str]:
        """All that is not as the log wants it; and what applications sent must be in the log."""
        return [*self._lost_on_the_way(ledger), *differences(self.settings, ledger)]

    def end(self) -> list[str]:
        """End all workers; returns where their local rows differ from the changelog."""
        self.workers.stop()
        return local_differences(self.settings)

    def _lost_on_the_way(self, ledger: Ledger) -> Iterator[str]:
        sent = Counter((one.topic, one.partition, one.key, one.value) for one in self.traffic.sent)
        found = Counter(
            (record.topic, record.partition, record.key, record.value)
            for record in ledger.everything()
            if not any(name == "forwarded" for name, _ in record.headers)
        )
        if sent != found:
            yield f"{(sent - found).total()} records are not in the log, {(found - sent).total()} were not sent"


def world_settings(nodes: Nodes, prefix: str, folder: Path) -> Settings:
    """Settings of a pipeline whose histories are short, so that items leave them, and whose batches are small."""
    return read_settings(
        bootstrap_servers=nodes.bootstrap,
        topic_prefix=prefix,
        data_dir=folder / "data",
        replication_factor=3,
        session_timeout_ms=round(SESSION_S * 1000),
        transaction_timeout_ms=5_000,
        history_size=12,
        pair_window=8,
        row_neighbours=0,
        neighbours_published=30,
        rows_published_per_s=20_000,
        gather_s=0.3,
        max_batch_records=300,
        scorer_batch=50,
    )


@contextmanager
def living_world(nodes: Nodes, prefix: str, folder: Path) -> Iterator[World]:
    """A world whose first workers are at work, for as long as the context."""
    nodes.mend()
    settings = world_settings(nodes, prefix, folder)
    create_topics(settings)
    send_catalogue(settings, catalogue())
    with ExitStack() as undo, cluster(settings, folder, RESTARTED_CODES | {BROKER_AWAY}) as workers:
        undo.callback(nodes.mend)
        world = World(nodes, settings, folder, workers, undo)
        for kind, instance in FIRST_WORKERS:
            world.start(kind, instance)
        workers.wait_until(
            lambda: all("works" in worker.text() for worker in workers.workers), "the first workers", 120
        )
        yield world
