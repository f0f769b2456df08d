"""Throughput of the profiles and similarity workers, bytes on disk, and latency from event to candidates.

    python -m benchmarks.profiles [--events N] [--peer faust-plain] [--out FILE]

A broker of its own is started beside the workers; nothing else should run on the machine.
"""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewTopic
from rich.console import Console
from rich.table import Table as RichTable

from agents.local.kafka import LocalKafka
from agents.runtime.clients import admin_client, committed_consumer
from agents.settings import Settings
from agents.topics import Topic, app_id, build_topics
from benchmarks import latency, workload
from benchmarks.harness import (
    Offsets,
    kafka,
    machine,
    pace_of,
    running,
    settings_of,
    topic_bytes,
    variables_of,
    wait_until,
    worker,
)

PEER_EVENTS = 40_000
"""Plain Faust takes half a minute for so many."""
BACKLOG_TIMEOUT_S = 300.0
LATENCY_RATE_PER_S = 1_000
LATENCY_S = 30.0
WARM_UP_S = 60.0
"""A broker that has just started takes twice as long for a commit: its code is not compiled yet."""
RESULTS = Path(__file__).parent / "results" / "profiles.json"


def profiles_throughput(broker: LocalKafka, folder: Path, count: int) -> dict[str, Any]:
    """Events/s of the profiles worker alone, without lists."""
    settings = settings_of(broker, folder, "throughput-")
    environment = variables_of(settings)
    topics, offsets, group = build_topics(settings), Offsets(settings), app_id(settings, "profiles")
    workload.produce(settings, count)

    def absorbed() -> int:
        return offsets.committed(group, topics.events)

    with running("profiles", worker("profiles"), {**environment, "PROFILESTREAM_TRIGGER_TYPES": ""}, folder) as process:
        pace = pace_of(absorbed, lambda: absorbed() >= count, [process], count, BACKLOG_TIMEOUT_S)
        return {
            "events": count,
            "events_per_s": pace.events_per_s,
            "cpu_us_per_event": pace.cpu_us_per_event,
            "peak_mb": round(process.peak_mb),
            "changelog_bytes_per_event": round(topic_bytes(broker, topics.profiles_changelog) / count, 1),
            "cooccurrence_bytes_per_event": round(topic_bytes(broker, topics.cooccurrence) / count, 1),
        }


def throughput(broker: LocalKafka, folder: Path, count: int) -> dict[str, Any]:
    """Events/s of the profiles worker alone; then of the similarity worker on what it wrote."""
    profiles = profiles_throughput(broker, folder, count)
    settings = settings_of(broker, folder, "throughput-")
    environment = variables_of(settings)
    topics, offsets, group = build_topics(settings), Offsets(settings), app_id(settings, "similarity")
    with running("similarity", worker("similarity"), environment, folder) as process:
        ends = ends_of_changes(settings)
        began = wait_until(lambda: offsets.committed(group, topics.cooccurrence) > 0, [process], "the first gathering")
        first, cpu_before = offsets.committed(group, topics.cooccurrence), process.cpu_s
        ended = wait_until(lambda: offsets.committed(group, topics.cooccurrence) >= ends, [process], "the last change")
        share = 1 - first / ends
        similarity = {
            "events_per_s": round(count * share / (ended - began)),
            "cpu_us_per_event": round((process.cpu_s - cpu_before) / (count * share) * 1e6, 1),
            "peak_mb": round(process.peak_mb),
            "changelog_bytes_per_event": round(topic_bytes(broker, topics.item_rows_changelog) / count, 1),
            "neighbours_bytes_per_event": round(topic_bytes(broker, topics.neighbours) / count, 1),
        }
    return {"profiles": profiles, "similarity": similarity}


def ends_of_changes(settings: Settings, topic: Topic | None = None) -> int:
    """Offsets after the last committed record of each partition, summed, of `cooccurrence` or another topic."""
    topic = topic or build_topics(settings).cooccurrence
    consumer = committed_consumer(settings, "ends", **{"enable.partition.eof": True})
    total = 0
    for partition in range(topic.partitions):
        _, high = consumer.get_watermark_offsets(TopicPartition(topic.name, partition))
        consumer.assign([TopicPartition(topic.name, partition, max(high - 3, 0))])
        last = 0
        while (message := consumer.poll(10.0)) is not None and message.error() is None:
            last = message.offset() + 1
        total += last
    consumer.close()
    return total


def measure_latency(broker: LocalKafka, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Event to candidates with neighbours and popularity present: the profiles worker alone, and with similarity."""
    settings = settings_of(broker, folder, "latency-")
    environment = variables_of(settings)
    topics, offsets = build_topics(settings), Offsets(settings)
    history = 100_000
    workload.produce(settings, history)
    with (
        running("similarity-latency", worker("similarity"), environment, folder) as similarity,
        running(
            "profiles-latency",
            worker("profiles"),
            {**environment, "PROFILESTREAM_TRIGGER_TYPES": "purchase"},
            folder,
        ) as profiles,
    ):
        both = [similarity, profiles]
        wait_until(
            lambda: offsets.committed(app_id(settings, "profiles"), topics.events) >= history, both, "the history"
        )
        ends = ends_of_changes(settings)
        wait_until(
            lambda: offsets.committed(app_id(settings, "similarity"), topics.cooccurrence) >= ends, both, "its pairs"
        )
        latency.measure(settings, LATENCY_RATE_PER_S, WARM_UP_S)
        (shared,) = latency.measure(settings, LATENCY_RATE_PER_S, LATENCY_S)
        similarity.process.terminate()
        similarity.process.wait()
        (alone,) = latency.measure(settings, LATENCY_RATE_PER_S, LATENCY_S)
        return alone, shared


def faust_plain(broker: LocalKafka, folder: Path, count: int = PEER_EVENTS) -> dict[str, Any]:
    """Events/s of the idiomatic Faust agent."""
    settings = settings_of(broker, folder, "peer-")
    topics, offsets = build_topics(settings), Offsets(settings)
    admin = admin_client(settings)
    admin.create_topics([NewTopic("peer-out", 4, 1)])["peer-out"].result()
    workload.produce(settings, count)
    environment = {
        "PEER_BROKER": broker.bootstrap,
        "PEER_IN": topics.events.name,
        "PEER_OUT": "peer-out",
        "PEER_GROUP": "peer-faust",
        "PEER_DIR": str(folder / "peer-data"),
    }
    command = [sys.executable, "-m", "benchmarks.peers.faust_plain", "worker", "-l", "warn"]
    with running("faust-plain", command, environment, folder) as process:
        began = wait_until(lambda: offsets.committed("peer-faust", topics.events) > 0, [process], "the first commit")
        first, cpu_before = offsets.committed("peer-faust", topics.events), process.cpu_s
        ended = wait_until(lambda: offsets.committed("peer-faust", topics.events) >= count, [process], "the last event")
    return {
        "events": count,
        "events_per_s": round((count - first) / (ended - began)),
        "cpu_us_per_event": round((process.cpu_s - cpu_before) / (count - first) * 1e6, 1),
        "peak_mb": round(process.peak_mb),
    }


def show(result: dict[str, Any]) -> None:
    """Print a result as a table."""
    table = RichTable("part", "figure", "value", title="profiles benchmark")
    for part, figures in result.items():
        for name, value in figures.items():
            table.add_row(part, name, f"{value:,}" if isinstance(value, int) else str(value))
    Console().print(table)


def main() -> None:
    """Run the benchmark, print it, write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=workload.LARGEST)
    parser.add_argument("--peer", choices=["faust-plain"], help="measure this peer in the same run")
    parser.add_argument("--port", type=int, default=19292)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the broker and the workers must end with this process
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with kafka(folder / "kafka", arguments.port) as broker:
            result = throughput(broker, folder, arguments.events)
            show(result)
            alone, shared = measure_latency(broker, folder)
            result["event → candidates, profiles alone"] = alone
            result["event → candidates, with similarity"] = shared
            if arguments.peer:
                result[arguments.peer] = faust_plain(broker, folder)
                ratio = result["profiles"]["events_per_s"] / result[arguments.peer]["events_per_s"]
                result["ratio"] = {f"profiles / {arguments.peer}": round(ratio, 1)}
    result["machine"] = machine()
    show(result)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
