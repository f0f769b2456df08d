"""A stall is noticed also after nodes were lost: the watch must not go on with what it knew of their leaders."""

import signal
from pathlib import Path

import pytest
from faust.types import TP

from agents.admin import create_topics
from agents.runtime.health import Health
from agents.runtime.lag import LagWatch
from agents.settings import Settings
from agents.topics import build_topics
from tests.agents.runtime.test_health import Clock
from tests.agents.runtime.test_lag import stalled
from tests.broker.support import admin_client_of, send, wait_until
from tests.faults.nodes import COUNT, Nodes
from tests.faults.world import world_settings


def all_in_sync(settings: Settings, topic: str) -> bool:
    partitions = admin_client_of(settings).list_topics(topic, 10).topics[topic].partitions.values()
    return all(len(partition.isrs) == COUNT for partition in partitions)


@pytest.mark.broker
@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_stall_is_noticed_after_each_node_was_lost_once(nodes: Nodes, unique: str, tmp_path: Path) -> None:
    settings = world_settings(nodes, unique, tmp_path)
    create_topics(settings)
    topic = build_topics(settings).events
    send(settings, topic, [(b"%d" % number, b"") for number in range(50)])
    clock = Clock()
    health = Health(clock)
    watch = LagWatch(settings, health, lambda: {TP(topic.name, partition): 0 for partition in range(topic.partitions)})
    watch.look()
    for node in range(COUNT):
        nodes.signal(node, signal.SIGKILL)
        wait_until(lambda: not all_in_sync(settings, topic.name), "a smaller in-sync set")
        nodes.nodes[node].start()
        wait_until(lambda: all_in_sync(settings, topic.name), "the whole in-sync set")
    for _ in range(3):
        watch.look()
    assert stalled(health, clock)
