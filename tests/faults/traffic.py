"""What applications send while faults strike: events and requests at a steady rate."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from agents.partition import partition_of
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import Topic, build_topics

USERS, ITEMS = 120, 90
KINDS = {"view": 60, "click": 20, "like": 5, "share": 3, "cart": 6, "purchase": 6, "rate": 6}
"""Event types and their shares."""
REQUEST_SHARE = 0.05
HURRIED_SHARE = 0.1
"""Of requests: their deadline has passed before anybody can read them."""
TOO_SHORT_MS = 1
DELIVERY_TIMEOUT_MS = 120_000


@dataclass(frozen=True)
class Sent:
    """One record to send."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


def catalogue() -> list[dict[str, object]]:
    """An entry for every item."""
    return [
        {"item_id": f"i{number}", "title": f"item {number}", "categories": [f"c{number % 7}"]}
        for number in range(ITEMS)
    ]


def records(settings: Settings, count: int, random: Random, name: str = "") -> Iterator[Sent]:
    """`count` good records, the same for the same seed; `name` keeps their ids apart from those of other traffic."""
    topics = build_topics(settings)
    for number in range(count):
        if random.random() < REQUEST_SHARE:
            yield _placed(topics.requests, request(f"{name}r{number}", random))
        else:
            yield _placed(topics.events, event(f"{name}e{number}", random))


def event(event_id: str, random: Random) -> dict[str, object]:
    """An event of some user on some item; a few of both are in most events."""
    (kind,) = random.choices(list(KINDS), list(KINDS.values()))
    item = f"i{int(ITEMS * random.random() ** 2)}"
    made: dict[str, object] = {"user_id": _user(random), "item_id": item, "event_type": kind, "event_id": event_id}
    if kind == "rate":
        made["rating"] = random.randrange(1, 11) / 2
    return made


def request(request_id: str, random: Random) -> dict[str, object]:
    """A request of some user; some come too late."""
    made: dict[str, object] = {"user_id": _user(random), "request_id": request_id, "k": random.randrange(1, 8)}
    if random.random() < HURRIED_SHARE:
        made["deadline_ms"] = TOO_SHORT_MS
    return made


def _user(random: Random) -> str:
    return f"u{int(USERS * random.random() ** 2)}"


def _placed(topic: Topic, value: dict[str, object]) -> Sent:
    key = str(value["user_id"]).encode()
    return Sent(topic.name, partition_of(key, topic.partitions), key, json.dumps(value).encode())


class Traffic:
    """Sends records, whatever happens to brokers; nothing is lost on the way in."""

    def __init__(self, settings: Settings) -> None:
        options = {"linger.ms": 5, "delivery.timeout.ms": DELIVERY_TIMEOUT_MS}
        self._producer = plain_producer(settings, **options)
        self._errors: list[object] = []
        self.sent: list[Sent] = []

    def send(self, record: Sent) -> None:
        """Hand one record to the producer."""
        self._producer.produce(record.topic, record.value, record.key, record.partition, on_delivery=self._note)
        self.sent.append(record)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until everything is on the brokers."""
        assert self._producer.flush(1.2 * DELIVERY_TIMEOUT_MS / 1000) == 0
        assert not self._errors, self._errors

    def _note(self, error: object, _: object) -> None:
        if error is not None:
            self._errors.append(error)
