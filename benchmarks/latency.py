"""Time from producing an event to reading its candidates, under an open load: events go out by the clock."""

import threading
import time

import numpy as np
from confluent_kafka import TopicPartition

from agents.packed import CANDIDATES
from agents.partition import partitions_of
from agents.runtime.clients import committed_consumer, plain_producer
from agents.settings import Settings
from agents.topics import build_topics
from benchmarks.workload import ITEMS, USERS, event, zipf

READ_TIMEOUT_S = 15.0
TICK_S = 0.002
"""The load generator sleeps so long beyond the next event, then sends all that is due: it must not eat a core."""


class CandidatesReader:
    """Notes when the candidates of each triggering event can be read (`read_committed`)."""

    def __init__(self, settings: Settings) -> None:
        topic = build_topics(settings).candidates
        self._consumer = committed_consumer(settings, "latency", **{"fetch.wait.max.ms": 10})
        ends = [
            self._consumer.get_watermark_offsets(TopicPartition(topic.name, partition))[1]
            for partition in range(topic.partitions)
        ]
        self._consumer.assign([TopicPartition(topic.name, partition, end) for partition, end in enumerate(ends)])
        self.read_at: dict[str, float] = {}
        self.lists = 0
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
                    self.lists += 1
                    for trigger in CANDIDATES.read(message.value()).triggers:
                        self.read_at[trigger] = now

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()


def measure(settings: Settings, rate_per_s: int, seconds: float) -> dict[str, float]:
    """Send purchases at a rate; percentiles of the time to their candidates, in ms from when each was due."""
    topic = build_topics(settings).events
    count = int(rate_per_s * seconds)
    rng = np.random.default_rng(11)
    keys = [b"u%d" % user for user in zipf(rng, USERS, count)]
    items = zipf(rng, ITEMS, count)
    partitions = partitions_of(keys, topic.partitions).tolist()
    reader = CandidatesReader(settings)
    producer = plain_producer(settings, **{"linger.ms": 2, "compression.type": "none"})
    due: dict[str, float] = {}

    def delivered(_error: object, message: object, at: float) -> None:
        due[f"{topic.name}-{message.partition()}-{message.offset()}"] = at  # type: ignore[attr-defined]

    # The first record of a producer waits for its connection and producer id: half a second that is not the worker's.
    producer.produce(topic.name, event(keys[0], b"i0", b"view", time.time()), keys[0], partitions[0])
    producer.flush(READ_TIMEOUT_S)
    try:
        began = time.perf_counter()
        for number in range(count):
            at = began + number / rate_per_s
            if at > time.perf_counter():
                producer.poll(0)
                time.sleep(max(at - time.perf_counter(), 0) + TICK_S)
            value = event(keys[number], b"i%d" % items[number], b"purchase", time.time())
            producer.produce(
                topic.name,
                value,
                keys[number],
                partitions[number],
                on_delivery=lambda error, message, at=at: delivered(error, message, at),
            )
        producer.flush(READ_TIMEOUT_S)
        deadline = time.perf_counter() + READ_TIMEOUT_S
        while len(reader.read_at) < count and time.perf_counter() < deadline:
            time.sleep(0.05)
    finally:
        reader.close()
    took_ms = np.array([(reader.read_at[name] - at) * 1000 for name, at in due.items() if name in reader.read_at])
    p50, p90, p99 = np.percentile(took_ms, [50, 90, 99])
    return {
        "rate_per_s": rate_per_s,
        "events": count,
        "answered": len(took_ms),
        "lists": reader.lists,
        "p50_ms": round(float(p50), 1),
        "p90_ms": round(float(p90), 1),
        "p99_ms": round(float(p99), 1),
        "max_ms": round(float(took_ms.max()), 1),
    }
