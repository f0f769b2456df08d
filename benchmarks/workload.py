"""The workload of the throughput benchmarks: 20,000 users and 5,000 items, both Zipf, four kinds of events."""

from collections.abc import Iterator, Sequence

import numpy as np

from agents.partition import partitions_of
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import build_topics

USERS, ITEMS, SEED = 20_000, 5_000, 7
KINDS = np.array(["view", "click", "cart", "purchase"])
SHARES = [0.7, 0.2, 0.07, 0.03]
FIRST_TIME_S = 1_790_000_000
LARGEST = 1_000_000
"""The draw has this length whatever the count, so that a short run is the beginning of a long one."""


def zipf(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Numbers below `count`, the r-th most frequent with a share of 1 / r, in a random order of ranks."""
    shares = 1.0 / np.arange(1, count + 1)
    return rng.permutation(count)[rng.choice(count, size, p=shares / shares.sum())]


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of users and items, and kinds, of `LARGEST` events."""
    rng = np.random.default_rng(SEED)
    users, items = zipf(rng, USERS, LARGEST), zipf(rng, ITEMS, LARGEST)
    return users, items, KINDS[rng.choice(len(KINDS), LARGEST, p=SHARES)]


def events(count: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of `count` events, at most `LARGEST`."""
    users, items, kinds = drawn()
    for number in range(count):
        user = b"u%d" % users[number]
        yield user, event(user, b"i%d" % items[number], kinds[number].encode(), FIRST_TIME_S + number * 0.001)


def event(user: bytes, item: bytes, kind: bytes, time_s: float) -> bytes:
    """One event as JSON."""
    return b'{"user_id":"%s","item_id":"%s","event_type":"%s","timestamp":%.3f}' % (user, item, kind, time_s)


def produce(settings: Settings, count: int) -> None:
    """Write the events to the topic `events`."""
    send(settings, list(events(count)))


def send(settings: Settings, written: Sequence[tuple[bytes, bytes]]) -> None:
    """Write (key, value) of events to the topic `events`."""
    topic = build_topics(settings).events
    producer = plain_producer(settings, **{"linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    partitions = partitions_of([key for key, _ in written], topic.partitions).tolist()
    for place, ((key, value), partition) in enumerate(zip(written, partitions, strict=True)):
        producer.produce(topic.name, value, key, partition)
        if place % 10_000 == 0:
            producer.poll(0)
    if producer.flush(60):
        raise RuntimeError("the broker did not take all events")
