"""Workers that are killed, asked to end, stopped until others have taken over, added and removed."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.broker.support import Supervised
from tests.faults.world import SESSION_S, Strike, Until, World

PAST_SESSION_S = 1.8 * SESSION_S
"""The broker looks at sessions from time to time only."""


def ended(worker: Supervised) -> Until:
    """Wait for the end of a process."""
    return Until(lambda: worker.process.poll() is not None, f"the end of {worker.log.stem}")


def killed(worker: Supervised) -> Strike:
    """Kill a process and leave it so."""
    worker.held = True
    worker.kill(signal.SIGKILL)
    yield ended(worker)


def started_again(worker: Supervised) -> Strike:
    """Leave the rest to the supervisor."""
    starts = worker.starts
    worker.held = False
    yield Until(lambda: worker.starts > starts, f"a start of {worker.log.stem}")


@dataclass(frozen=True)
class Signalled:
    """SIGKILL: it ends in the middle of whatever it does. SIGTERM: it ends in an orderly way."""

    kind: str
    instance: str
    number: signal.Signals

    def strike(self, world: World) -> Strike:
        """Kill; the supervisor starts it again."""
        worker = world.worker(self.kind, self.instance)
        starts = worker.starts
        worker.kill(self.number)
        yield Until(lambda: worker.starts > starts, f"a start of {worker.log.stem}")


@dataclass(frozen=True)
class Zombie:
    """SIGSTOP until its session is over and others have its partitions; then it goes on as if nothing had been."""

    kind: str
    instance: str
    seconds: float = PAST_SESSION_S
    others_took_over: Callable[[], bool] = lambda: True
    """What is waited for besides: woken earlier, it could have its partitions back before anyone had them."""

    def strike(self, world: World) -> Strike:
        """Stop it and wake it."""
        worker = world.worker(self.kind, self.instance)
        worker.kill(signal.SIGSTOP)
        yield self.seconds
        yield Until(self.others_took_over, f"who takes over from {worker.log.stem}")
        worker.kill(signal.SIGCONT)


@dataclass(frozen=True)
class AddedAndRemoved:
    """One worker more for a while; with SIGKILL its partitions are nobody's until its session is over."""

    kind: str
    instance: str
    seconds: float
    number: signal.Signals

    def strike(self, world: World) -> Strike:
        """Start it; end it for good."""
        worker = world.start(self.kind, self.instance)
        yield Until(lambda: "works" in worker.text(), f"the work of {worker.log.stem}")
        yield self.seconds
        worker.held = True
        worker.kill(self.number)
        yield ended(worker)
        world.forget(self.kind, self.instance)
