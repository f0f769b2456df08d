"""Time from producing a record to reading what answers it, under an open load: records go out by the clock.

A record that could not be sent in time counts from when it was due, so that a system that stands still is not asked
less (no coordinated omission).
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np
from confluent_kafka import Producer, TopicPartition

from agents.packed import CANDIDATES
from agents.partition import partition_of, partitions_of
from agents.runtime.clients import committed_consumer, plain_producer
from agents.settings import Settings
from agents.topics import Topic, build_topics
from benchmarks.workload import ITEMS, KINDS, SHARES, USERS, event, zipf

READ_TIMEOUT_S = 15.0
TICK_S = 0.002
"""The load generator sleeps so long beyond the next event, then sends all that is due: it must not eat a core."""
LINGER_MS = 5
"""The default of Kafka's own producer since 4.0; it is a part of the times."""
PERCENTILES = (50, 90, 99, 99.9)


class _Triggers(msgspec.Struct):
    triggers: list[str]


_LIST = msgspec.json.Decoder(_Triggers)


class Arrivals:
    """Notes when what answers each record can be read (`read_committed`)."""

    def __init__(self, settings: Settings, topic: Topic, answered: Callable[[bytes], Iterable[str]]) -> None:
        """`answered`: names of the records that a record of the topic answers."""
        self._answered = answered
        self._consumer = committed_consumer(settings, f"latency-{topic.name}")
        ends = [
            self._consumer.get_watermark_offsets(TopicPartition(topic.name, partition))[1]
            for partition in range(topic.partitions)
        ]
        self._consumer.assign([TopicPartition(topic.name, partition, end) for partition, end in enumerate(ends)])
        self.read_at: dict[str, float] = {}
        self.records = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            first = self._consumer.poll(0.1)
            if first is None:
                continue
            for message in (first, *self._consumer.consume(1_000, 0.0)):
                if message.error() is None:
                    now = time.perf_counter()
                    self.records += 1
                    for name in self._answered(message.value()):
                        self.read_at[name] = now

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()


def candidates_of(settings: Settings) -> Arrivals:
    """Arrivals of candidates."""
    return Arrivals(settings, build_topics(settings).candidates, lambda value: CANDIDATES.read(value).triggers)


def lists_of(settings: Settings) -> Arrivals:
    """Arrivals of lists."""
    return Arrivals(settings, build_topics(settings).recommendations, lambda value: _LIST.decode(value).triggers)


def send_by_the_clock(
    producer: Producer, topic: Topic, rate_per_s: float, records: Sequence[tuple[bytes, bytes]]
) -> dict[str, tuple[int, float]]:
    """Send (key, value) at a rate; name of each record → its number, and when it was due."""
    sent: dict[str, tuple[int, float]] = {}
    partitions = partitions_of([key for key, _ in records], topic.partitions).tolist()

    def delivered(message: object, number: int, at: float) -> None:
        sent[f"{topic.name}-{message.partition()}-{message.offset()}"] = number, at  # type: ignore[attr-defined]

    began = time.perf_counter()
    for number, (key, value) in enumerate(records):
        at = began + number / rate_per_s
        if at > time.perf_counter():
            producer.poll(0)
            time.sleep(max(at - time.perf_counter(), 0) + TICK_S)
        producer.produce(
            topic.name,
            value,
            key,
            partitions[number],
            on_delivery=lambda _, message, number=number, at=at: delivered(message, number, at),
        )
    producer.flush(READ_TIMEOUT_S)
    return sent


def measure(
    settings: Settings,
    rate_per_s: int,
    seconds: float,
    arrivals: Sequence[Callable[[Settings], Arrivals]] = (candidates_of,),
    kinds: Sequence[str] = ("purchase",),
) -> list[dict[str, float]]:
    """Send events at a rate; for each of `arrivals` percentiles of the time to it, in ms from when each was due.

    kinds: `purchase` alone, or all of the workload in their shares; what triggers no list is not waited for.
    """
    topic, count, rng = build_topics(settings).events, int(rate_per_s * seconds), np.random.default_rng(11)
    keys = [b"u%d" % user for user in zipf(rng, USERS, count)]
    items = zipf(rng, ITEMS, count)
    drawn = rng.choice(KINDS, count, p=SHARES).tolist() if len(kinds) > 1 else [kinds[0]] * count
    now = time.time()
    records = [
        (key, event(key, b"i%d" % item, kind.encode(), now)) for key, item, kind in zip(keys, items, drawn, strict=True)
    ]
    readers = [arrival(settings) for arrival in arrivals]
    producer = plain_producer(settings, **{"linger.ms": LINGER_MS, "compression.type": "none"})
    # The first record of a producer waits for its connection and producer id: half a second that is not the worker's.
    first = partition_of(keys[0], topic.partitions)
    producer.produce(topic.name, event(keys[0], b"i0", b"view", now), keys[0], first)
    producer.flush(READ_TIMEOUT_S)
    try:
        sent = send_by_the_clock(producer, topic, rate_per_s, records)
        asked = {name: at for name, (number, at) in sent.items() if drawn[number] in settings.trigger_types}
        deadline = time.perf_counter() + READ_TIMEOUT_S
        while any(len(one.read_at) < len(asked) for one in readers) and time.perf_counter() < deadline:
            time.sleep(0.05)
    finally:
        for one in readers:
            one.close()
    return [{"rate_per_s": rate_per_s, "events": count, **times(one, asked)} for one in readers]


def times(arrivals: Arrivals, asked: dict[str, float]) -> dict[str, float]:
    """Percentiles, in ms, of what was asked for at these times."""
    took_ms = np.array([(arrivals.read_at[name] - at) * 1000 for name, at in asked.items() if name in arrivals.read_at])
    found = np.percentile(took_ms, PERCENTILES) if len(took_ms) else np.full(len(PERCENTILES), np.nan)
    shown = {f"p{share:g}_ms": round(float(value), 1) for share, value in zip(PERCENTILES, found, strict=True)}
    return {"asked": len(asked), "answered": len(took_ms), "records": arrivals.records, **shown}
