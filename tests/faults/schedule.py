"""Which faults strike when: a pure function of the seed."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from tests.faults.broker_faults import LostNode, NodeRestart, PausedNodes
from tests.faults.disk_faults import FullDisk, LostDisk, StaleDisk
from tests.faults.input_faults import BadRecords, CrashingRecord, Doubles, Misplaced
from tests.faults.network_faults import CutNetwork, SilentNetwork, SlowNetwork
from tests.faults.nodes import COUNT, ZONES
from tests.faults.worker_faults import AddedAndRemoved, Signalled, Zombie
from tests.faults.world import FIRST_WORKERS, SESSION_S, Fault

Make = Callable[[Random], Fault]
Plan = Sequence[tuple[float, Fault]]

FIRST_S = 0.5
WITH_TABLE = [worker for worker in FIRST_WORKERS if worker[0] != "scorer"]
SIGNALS = (signal.SIGKILL, signal.SIGTERM)

INPUT: tuple[Make, ...] = (
    lambda random: Doubles(random.randrange(10, 40), random.randrange(1 << 30)),
    lambda random: Misplaced(random.randrange(10, 40), random.randrange(1 << 30)),
    lambda random: BadRecords(random.randrange(3, 15), random.randrange(1 << 30)),
)
"""All of them in every plan: they take no time."""
WORKER: tuple[Make, ...] = (
    lambda random: Signalled(*random.choice(FIRST_WORKERS), signal.SIGKILL),
    lambda random: Signalled(*random.choice(FIRST_WORKERS), signal.SIGKILL),
    lambda random: Signalled(*random.choice(FIRST_WORKERS), signal.SIGTERM),
    lambda random: Zombie(*random.choice(FIRST_WORKERS), _around(random, 1.8 * SESSION_S)),
    lambda random: AddedAndRemoved("profiles", "3", random.uniform(0, 6), random.choice(SIGNALS)),
    lambda random: AddedAndRemoved("similarity", "2", random.uniform(0, 6), random.choice(SIGNALS)),
    lambda random: AddedAndRemoved("scorer", "2", random.uniform(0, 6), random.choice(SIGNALS)),
    lambda random: CrashingRecord(random.randrange(1 << 30)),
)
DISK: tuple[Make, ...] = (
    lambda random: LostDisk(*random.choice(WITH_TABLE)),
    lambda random: StaleDisk(*random.choice(WITH_TABLE), random.uniform(1, 6)),
    lambda random: FullDisk(*random.choice(WITH_TABLE), "limit"),
    lambda random: FullDisk(*random.choice(WITH_TABLE), "tmpfs"),
)
BROKER: tuple[Make, ...] = (
    lambda random: NodeRestart(random.randrange(COUNT)),
    lambda random: LostNode(random.randrange(COUNT), random.uniform(1, 8)),
    lambda random: PausedNodes((random.randrange(COUNT),), random.uniform(1, 8)),
    lambda random: PausedNodes(tuple(range(COUNT)), random.uniform(0.5, 4)),
)
NETWORK: tuple[Make, ...] = (
    lambda random: SlowNetwork(random.choice(ZONES), random.uniform(0.02, 0.3), random.uniform(1, 6)),
    lambda random: CutNetwork(random.choice(ZONES), random.uniform(0.5, 6)),
    lambda random: SilentNetwork(random.choice(ZONES), _around(random, 1.2 * SESSION_S)),
)


def plan(seed: int, seconds: float, *, may_mount: bool) -> Plan:
    """Faults and their seconds, all within the first `seconds`: three of workers, one of each other sort, all of input.

    At most one fault acts on nodes: two lost nodes of three would be more than the cluster promises to bear.
    """
    random = Random(seed)
    makes = [*INPUT, *random.sample(WORKER, 3), random.choice(DISK), random.choice(BROKER), random.choice(NETWORK)]
    made = [(random.uniform(FIRST_S, seconds), make(random)) for make in makes]
    possible = [(at_s, fault if may_mount else _without_mount(fault)) for at_s, fault in made]
    return sorted(possible, key=lambda entry: entry[0])


def _without_mount(fault: Fault) -> Fault:
    return replace(fault, way="limit") if isinstance(fault, FullDisk) else fault


def _around(random: Random, seconds: float) -> float:
    return random.uniform(0.5, 1.5) * seconds
