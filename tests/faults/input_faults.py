"""What applications do wrong: events twice or in a wrong partition, bad records, a record that ends a worker."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from agents.partition import partition_of
from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.ledger import CRASHING_ITEM
from tests.faults.traffic import Sent, event
from tests.faults.world import Strike, World

PACE_S = 0.1
NEWEST = 20
"""A double is of one of the newest records, as when a producer tries again."""


@dataclass(frozen=True)
class Doubles:
    """An application sends events again, with the event_id they had."""

    count: int
    seed: int

    def strike(self, world: World) -> Strike:
        """One after the other."""
        random, topic = Random(self.seed), build_topics(world.settings).events
        for _ in range(self.count):
            sent = [one for one in world.traffic.sent[-NEWEST:] if one.topic == topic.name]
            if sent:
                world.traffic.send(random.choice(sent))
            yield PACE_S


@dataclass(frozen=True)
class Misplaced:
    """A client with another hash: events are in partitions where their users are not."""

    count: int
    seed: int

    def strike(self, world: World) -> Strike:
        """One after the other."""
        random, topic = Random(self.seed), build_topics(world.settings).events
        for number in range(self.count):
            value = event(f"misplaced-{self.seed}-{number}", random)
            key = str(value["user_id"]).encode()
            wrong = (partition_of(key, topic.partitions) + random.randrange(1, topic.partitions)) % topic.partitions
            world.traffic.send(Sent(topic.name, wrong, key, json.dumps(value).encode()))
            yield PACE_S


@dataclass(frozen=True)
class BadRecords:
    """Records that no worker can use, in several ways."""

    count: int
    seed: int

    def strike(self, world: World) -> Strike:
        """One after the other."""
        random = Random(self.seed)
        for number in range(self.count):
            for record in _bad(world.settings, f"bad-{self.seed}-{number}", random):
                world.traffic.send(record)
            yield PACE_S


def _bad(settings: Settings, name: str, random: Random) -> Iterator[Sent]:
    topics, value = build_topics(settings), event(name, random)
    key, packed = str(value["user_id"]).encode(), json.dumps(value).encode()
    topic = random.choice((topics.events, topics.requests))
    partition = partition_of(key, topic.partitions)
    yield Sent(topic.name, partition, key, random.choice((None, packed[:-3], b"")))
    other = json.dumps({**value, "user_id": "somebody else"}).encode()
    yield Sent(topic.name, partition, key, other)
    unknown = json.dumps({**value, "event_type": "stared at"}).encode()
    yield Sent(topics.events.name, partition, key, unknown)


@dataclass(frozen=True)
class CrashingRecord:
    """A good record on which the agent of `raising_worker` fails, at whichever worker gets it."""

    seed: int

    def strike(self, world: World) -> Strike:
        """Send it."""
        topic = build_topics(world.settings).events
        value = {**event(f"crashing-{self.seed}", Random(self.seed)), "item_id": CRASHING_ITEM}
        key = str(value["user_id"]).encode()
        world.traffic.send(Sent(topic.name, partition_of(key, topic.partitions), key, json.dumps(value).encode()))
        yield 0.0
