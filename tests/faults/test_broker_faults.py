"""Nodes restarted, lost, silent: all stays exact."""

import pytest

from tests.faults.broker_faults import LostNode, NodeRestart, PausedNodes
from tests.faults.striking import strike
from tests.faults.world import World

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]


@pytest.mark.faults
def test_a_node_restarted(world: World) -> None:
    before = world.nodes.nodes[0].status().pid
    strike(world, NodeRestart(0), count=3_000)
    assert world.nodes.nodes[0].status().pid != before


def test_one_node_of_three_lost_and_back(world: World) -> None:
    before = world.nodes.nodes[1].status().pid
    strike(world, LostNode(1, 6.0), count=3_600)
    assert world.nodes.nodes[1].status().pid != before


@pytest.mark.faults
def test_a_node_that_does_not_answer_for_a_while(world: World) -> None:
    strike(world, PausedNodes((2,), 6.0), count=2_400)


@pytest.mark.faults
def test_no_node_answers_for_a_while(world: World) -> None:
    strike(world, PausedNodes((0, 1, 2), 3.0), count=1_500)
