"""A stall is noticed; a restore, and a broker that does not answer, are none."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from confluent_kafka import Producer
from faust.types import TP

from agents.admin import create_topics
from agents.runtime.health import STALLED_AFTER_S, Health
from agents.runtime.lag import LagWatch
from agents.settings import read_settings
from agents.topics import build_topics
from tests.agents.runtime.test_health import Clock
from tests.broker.support import broker_settings


def stalled(health: Health, clock: Clock) -> bool:
    """Whether it counts as dead after a long time in which it came round, but nothing was absorbed."""
    clock.now += STALLED_AFTER_S + 1
    health.beat()
    return not health.alive()


def fails() -> Mapping[TP, int]:
    raise RuntimeError("the assignment changed meanwhile")


@pytest.mark.parametrize("reading", [dict, fails])
def test_what_cannot_be_compared_is_no_stall(reading: Callable[[], Mapping[TP, int]]) -> None:
    clock = Clock()
    health = Health(clock)
    health.note_lag(moved=False, behind=True)
    LagWatch(read_settings(), health, reading).look()
    assert not stalled(health, clock)


@pytest.mark.broker
def test_records_that_wait_and_are_not_read_are_a_stall(kafka: str, unique: str, tmp_path: Path) -> None:
    settings = broker_settings(kafka, unique, tmp_path)
    create_topics(settings)
    topic = build_topics(settings).events.name
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, b"1", b"k", 0)
    producer.flush()
    clock, place = Clock(), {TP(topic, 0): 0}
    health = Health(clock)
    watch = LagWatch(settings, health, lambda: dict(place))
    watch.look()
    watch.look()
    assert stalled(health, clock)
    place[TP(topic, 0)] = 1
    watch.look()
    assert not stalled(health, clock)
