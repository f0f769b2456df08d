"""A slow, cut or silent network between workers and brokers: all stays exact."""

import pytest

from tests.faults.network_faults import CutNetwork, SilentNetwork, SlowNetwork
from tests.faults.striking import strike, taken_over_by
from tests.faults.worker_faults import PAST_SESSION_S
from tests.faults.world import World

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]


@pytest.mark.faults
def test_a_slow_network(world: World) -> None:
    before = world.nodes.network.passed(1).bytes
    strike(world, SlowNetwork(1, 0.1, 4.0), count=1_500)
    assert world.nodes.network.passed(1).bytes > before


def test_a_network_that_is_cut(world: World) -> None:
    before = world.nodes.network.passed(1).connections
    strike(world, CutNetwork(1, 3.0), count=1_500)
    assert world.nodes.network.passed(1).connections > before


@pytest.mark.faults
def test_a_network_that_is_silent_past_the_session(world: World) -> None:
    took_over = taken_over_by(world, "1")
    strike(world, SilentNetwork(2, PAST_SESSION_S, took_over), count=2_400)
    assert took_over()
