"""Nodes that are restarted, lost for a while, or silent."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.faults.world import Strike, Until, World


def _beside(work: Callable[[], object], what: str) -> Strike:
    """Do what takes seconds in a thread, so that events go on."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        yield Until(done.done, what)
        done.result()


@dataclass(frozen=True)
class NodeRestart:
    """An orderly end and a start, as in an upgrade: its partitions are led by others meanwhile."""

    node: int

    def strike(self, world: World) -> Strike:
        """Stop, start."""
        node = world.nodes.nodes[self.node]
        yield from _beside(node.stop, f"the end of node {self.node}")
        yield from _beside(node.start, f"the start of node {self.node}")


@dataclass(frozen=True)
class LostNode:
    """SIGKILL to one node of three; it comes back later and catches up."""

    node: int
    seconds: float

    def strike(self, world: World) -> Strike:
        """Kill, start."""
        world.nodes.signal(self.node, signal.SIGKILL)
        yield self.seconds
        yield from _beside(world.nodes.nodes[self.node].start, f"the start of node {self.node}")


@dataclass(frozen=True)
class PausedNodes:
    """SIGSTOP: connections stay, nothing is answered, and then all of it is. Of one node, or of all."""

    nodes: tuple[int, ...]
    seconds: float

    def strike(self, world: World) -> Strike:
        """Stop, go on."""
        for node in self.nodes:
            world.nodes.signal(node, signal.SIGSTOP)
        yield self.seconds
        for node in self.nodes:
            world.nodes.signal(node, signal.SIGCONT)
