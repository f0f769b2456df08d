"""A network between workers and brokers that is slow, cut, or silent, for the workers of one zone."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.world import Strike, Until, World


@dataclass(frozen=True)
class SlowNetwork:
    """Everything takes longer."""

    zone: int
    delay_s: float
    seconds: float

    def strike(self, world: World) -> Strike:
        """Slow, as before."""
        world.nodes.network.slow(self.zone, self.delay_s)
        yield self.seconds
        world.nodes.network.heal(self.zone)


@dataclass(frozen=True)
class CutNetwork:
    """Connections end, and new ones do too."""

    zone: int
    seconds: float

    def strike(self, world: World) -> Strike:
        """Cut, as before."""
        world.nodes.network.cut(self.zone)
        yield self.seconds
        world.nodes.network.heal(self.zone)


@dataclass(frozen=True)
class SilentNetwork:
    """Connections stay, and nothing arrives until later; past the session its workers are zombies that do not know."""

    zone: int
    seconds: float
    others_took_over: Callable[[], bool] = lambda: True
    """What is waited for besides, before the network comes back."""

    def strike(self, world: World) -> Strike:
        """Hold, let go."""
        world.nodes.network.hold(self.zone)
        yield self.seconds
        yield Until(self.others_took_over, f"who takes over from zone {self.zone}")
        world.nodes.network.heal(self.zone)
