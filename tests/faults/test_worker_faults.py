"""Workers killed, asked to end, asleep past their session, added and removed: all stays exact."""

import signal

import pytest

from tests.faults.striking import strike, taken_over_by
from tests.faults.worker_faults import AddedAndRemoved, Signalled, Zombie
from tests.faults.world import World

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]

KINDS = [
    "profiles",
    pytest.param("similarity", marks=pytest.mark.faults),
    pytest.param("scorer", marks=pytest.mark.faults),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_worker(kind: str, world: World) -> None:
    strike(world, Signalled(kind, "1", signal.SIGKILL))
    assert -signal.SIGKILL in world.worker(kind).codes


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["profiles", "similarity", "scorer"])
def test_a_worker_that_is_asked_to_end(kind: str, world: World) -> None:
    strike(world, Signalled(kind, "1", signal.SIGTERM))
    assert 0 in world.worker(kind).codes


def test_a_worker_that_sleeps_while_another_takes_its_partitions_over(world: World) -> None:
    took_over = taken_over_by(world, "1")
    strike(world, Zombie("profiles", "2", others_took_over=took_over), count=2_400)
    assert took_over()


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["similarity", "scorer"])
def test_the_only_worker_of_a_kind_sleeps_past_its_session(kind: str, world: World) -> None:
    strike(world, Zombie(kind, "1"), count=2_400)


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_third_worker_comes_and_goes(number: signal.Signals, world: World) -> None:
    strike(world, AddedAndRemoved("profiles", "3", 1.0, number), count=1_500)
    assert "works on partitions [" in world.removed[-1].text()
    assert world.removed[-1].process.returncode == (0 if number == signal.SIGTERM else -number)
