"""The programs that are measured: how each is started, and what it promises."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import ROOT
from benchmarks.update.prepare import kstreams_java, peers_python

FAUST_EVENTS = 40_000
"""Plain Faust takes half a minute for so many."""
PRODUCT, KSTREAMS_EXACTLY_ONCE, FAUST = "profilestream", "kstreams-eos", "faust-plain"
GROUP_PREFIX = "update-"
"""Also the product's topic prefix: each of its runs is a worker of its own name."""
SNAPSHOT_EVERY_S = 10


@dataclass(frozen=True)
class Run:
    """One run of a program."""

    program: str
    number: int
    folder: Path

    @property
    def name(self) -> str:
        """Different for each run; no name begins with another run's."""
        return f"{self.program}-{self.number}"

    @property
    def group(self) -> str:
        """Consumer group, and beginning of the names of its topics."""
        return GROUP_PREFIX + self.name

    @property
    def answers(self) -> str:
        """Topic of the answers."""
        return f"{self.group}-answers"

    @property
    def state(self) -> Path:
        """Folder of its local state."""
        return self.folder / self.name


@dataclass(frozen=True)
class Program:
    """One program. `command` raises `PeerMissingError` if it cannot run here."""

    name: str
    guarantee: str
    command: Callable[[Run], list[str]]
    most_events: int | None = None
    """It is too slow for more."""
    has_group: bool = True
    """Its progress can be read from committed offsets; else it is done when it ends."""

    def events(self, count: int) -> int:
        """How many of so many events it is given time for."""
        return count if self.most_events is None else min(count, self.most_events)


def _kstreams(guarantee: str) -> Callable[[Run], list[str]]:
    def command(_run: Run) -> list[str]:
        # A quarter of the machine, the JVM's default heap, would only make its memory look worse.
        return [*kstreams_java(), "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "UpdatePeer", guarantee]

    return command


def _bytewax(run: Run) -> list[str]:
    python = str(peers_python())
    run.state.mkdir(parents=True)
    subprocess.run([python, "-m", "bytewax.recovery", run.state, "1"], cwd=ROOT, check=True)
    flow = "benchmarks.peers.bytewax_update:flow"
    every = str(SNAPSHOT_EVERY_S)
    return [python, "-m", "bytewax.run", flow, "-r", str(run.state), "-s", every, "-b", "0"]


PROGRAMS = (
    Program("kstreams", "at least once", _kstreams("at_least_once")),
    Program(KSTREAMS_EXACTLY_ONCE, "exactly once", _kstreams("exactly_once_v2")),
    Program("quix", "at least once", lambda _: [str(peers_python()), "-m", "benchmarks.peers.quix_update"]),
    Program("bytewax", "at least once", _bytewax, has_group=False),
    Program(
        FAUST,
        "at least once",
        lambda _: [sys.executable, "-m", "benchmarks.peers.faust_plain", "worker", "-l", "warn"],
        most_events=FAUST_EVENTS,
    ),
    Program(
        PRODUCT,
        "exactly once",
        lambda run: [sys.executable, "-m", "benchmarks.peers.profilestream_update", run.name],
    ),
)
