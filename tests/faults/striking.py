"""What every named test does: let one fault strike while events flow, and compare everything."""

from collections.abc import Callable
from random import Random

from tests.broker.ledger import Ledger
from tests.faults.traffic import records
from tests.faults.world import Fault, World

RATE = 300.0
AT_S = 0.5
COUNT = 600


def strike(world: World, *faults: Fault, count: int = COUNT) -> Ledger:
    """Let faults strike together; everything is exact afterwards. Returns what the log says."""
    already = len(world.traffic.sent)
    world.play(records(world.settings, count, Random(already), f"{already}-"), RATE, [(AT_S, one) for one in faults])
    ledger = world.settle()
    assert world.differences(ledger) == []
    world.exact = True
    return ledger


def taken_over_by(world: World, instance: str) -> Callable[[], bool]:
    """Whether a profiles worker has, since this call, come to work on all partitions."""
    worker, all_of_them = world.worker("profiles", instance), "works on partitions [0, 1, 2, 3]"
    before = worker.text().count(all_of_them)
    return lambda: worker.text().count(all_of_them) > before
