"""One user with a million events, and one item in every history: throughput by part of the run, and sizes of rows.

    python -m benchmarks.hot_keys [--events N]

If work or rows grew with the number of events of a key, the later tenths of the run would be slower than the first.
"""

import argparse
import json
import signal
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from agents.admin import create_topics
from agents.local.kafka import LocalKafka
from agents.partition import partitions_of
from agents.runtime.clients import plain_producer
from agents.settings import read_settings
from agents.topics import Topic, app_id, build_topics
from agents.verify.reading import Reader
from benchmarks.harness import Offsets, kafka, machine, running, variables_of, wait_until, worker
from benchmarks.workload import ITEMS, SEED, event

PARTS = 5
RESULTS = Path(__file__).parent / "results" / "hot_keys.json"

Events = Iterator[tuple[bytes, bytes]]


def hot_user(count: int) -> Events:
    """All events of one user, items drawn evenly."""
    for number, item in enumerate(np.random.default_rng(SEED).integers(0, ITEMS, count)):
        yield b"hot", event(b"hot", b"i%d" % item, b"view", 1_790_000_000 + number * 0.001)


def hot_item(count: int) -> Events:
    """Users with ten items each, one of which is always the same."""
    items = np.random.default_rng(SEED).integers(0, ITEMS, count)
    for number, item in enumerate(items):
        user = b"u%d" % (number // 10)
        name = b"hot" if number % 10 == 5 else b"i%d" % item
        yield user, event(user, name, b"view", 1_790_000_000 + number * 0.001)


def largest_row(reader: Reader, changelog: Topic) -> int:
    """Bytes of the longest row that was ever written."""
    sizes = [
        len(record.value or b"")
        for p in range(changelog.partitions)
        for record in reader.read(changelog, p, reader.start(changelog, p), reader.end(changelog, p))
    ]
    return max(sizes, default=0)


def run(broker: LocalKafka, folder: Path, name: str, made: Events, count: int) -> dict[str, Any]:
    """Events through the profiles worker, their changes through the similarity worker."""
    settings = read_settings(bootstrap_servers=broker.bootstrap, topic_prefix=f"{name}-", data_dir=folder / name)
    create_topics(settings)
    variables = {**variables_of(settings), "PROFILESTREAM_TRIGGER_TYPES": ""}
    topics, offsets, reader = build_topics(settings), Offsets(settings), Reader(settings)
    producer = plain_producer(settings, **{"linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    records = list(made)
    partitions = partitions_of([key for key, _ in records], topics.events.partitions).tolist()
    for (key, value), partition in zip(records, partitions, strict=True):
        producer.produce(topics.events.name, value, key, partition)
        producer.poll(0)
    producer.flush(60)
    with running(name, worker("profiles"), variables, folder) as process:
        absorbed = lambda: offsets.committed(app_id(settings, "profiles"), topics.events)  # noqa: E731
        at = [(wait_until(lambda: absorbed() > 0, [process], "the first batch"), absorbed())]
        for part in range(1, PARTS + 1):
            moment = wait_until(lambda part=part: absorbed() >= count * part // PARTS, [process], f"part {part}")  # type: ignore[misc]
            at.append((moment, absorbed()))
        profiles_mb = process.peak_mb
    rates = [round((n1 - n0) / (t1 - t0)) for (t0, n0), (t1, n1) in pairwise(at)]
    ends = sum(reader.end(topics.cooccurrence, q) for q in range(topics.cooccurrence.partitions))
    began = time.perf_counter()
    with running(f"{name}-similarity", worker("similarity"), variables, folder) as process:
        group = app_id(settings, "similarity")
        last = wait_until(
            # The log ends in a transaction marker, which is never absorbed.
            lambda: offsets.committed(group, topics.cooccurrence) >= ends - topics.cooccurrence.partitions,
            [process],
            "the last change",
        )
        similarity_mb = process.peak_mb
    found = {
        "events": count,
        "events_per_s_by_part": rates,
        "profiles_mb": round(profiles_mb),
        "similarity_s": round(last - began, 1),
        "similarity_mb": round(similarity_mb),
        "largest_profile_bytes": largest_row(reader, topics.profiles_changelog),
        "largest_item_row_bytes": largest_row(reader, topics.item_rows_changelog),
    }
    reader.close()
    return found


def main() -> None:
    """Run both, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--port", type=int, default=19492)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # broker and workers must end with this process
    count = arguments.events
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch) / "kafka", arguments.port) as broker:
        result = {
            "one user": run(broker, Path(scratch), "hot-user", hot_user(count), count),
            "one item": run(broker, Path(scratch), "hot-item", hot_item(count), count),
        }
    Console().print_json(json.dumps(result))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({**result, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
