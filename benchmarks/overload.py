"""A burst of 20 times the sustainable rate: the log takes it, memory stays where it was, the lag goes to zero.

    python -m benchmarks.overload [--seconds S] [--out FILE]

Every purchase triggers a list, so the profiles worker makes candidates for each. Its sustainable rate is measured
first, on a backlog. Then 20 times as many events a second are sent for some seconds, and a probe behind them: how long
until it has candidates, with stale events answered like others, and with them skipped.
"""

import argparse
import json
import signal
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.admin import create_topics
from agents.local.kafka import LocalKafka
from agents.partition import partition_of, partitions_of
from agents.runtime.clients import plain_producer
from agents.settings import Settings, read_settings
from agents.topics import app_id, build_topics
from benchmarks.harness import Measured, Offsets, kafka, machine, running, variables_of, wait_until, worker
from benchmarks.latency import CandidatesReader
from benchmarks.workload import event, events

TIMES = 20
WARM_UP = 20_000
MAX_AGE_S = 5.0
SAMPLE_S = 0.5
TIMEOUT_S = 240.0
RESULTS = Path(__file__).parent / "results" / "overload.json"


@dataclass
class Sample:
    """One look at the worker."""

    at_s: float
    lag: int
    rss_mb: int


def rss_mb(process: Measured) -> int:
    """Resident memory of a process now."""
    process.sample()
    for line in Path(f"/proc/{process.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    return 0


def send(settings: Settings, count: int, rate_per_s: float) -> float:
    """Send purchases at a rate; returns the seconds it took."""
    topic = build_topics(settings).events
    producer = plain_producer(settings, **{"linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    keys = [key for key, _ in events(count)]
    partitions = partitions_of(keys, topic.partitions).tolist()
    began = time.perf_counter()
    for number, (key, partition) in enumerate(zip(keys, partitions, strict=True)):
        if number % 1_000 == 0:
            producer.poll(0)
            time.sleep(max(began + number / rate_per_s - time.perf_counter(), 0.0))
        producer.produce(topic.name, event(key, b"i%d" % (number % 5_000), b"purchase", time.time()), key, partition)
    if producer.flush(60):
        raise RuntimeError("the broker did not take all events")
    return time.perf_counter() - began


def probe(settings: Settings) -> str:
    """Send one purchase of a user of its own; the name of the list that it triggers."""
    topic, names = build_topics(settings).events, []
    producer = plain_producer(settings)
    key = b"probe"
    producer.produce(
        topic.name,
        event(key, b"i1", b"purchase", time.time()),
        key,
        partition_of(key, topic.partitions),
        on_delivery=lambda _, message: names.append(f"{topic.name}-{message.partition()}-{message.offset()}"),
    )
    producer.flush(10)
    return names[0]


def burst(broker: LocalKafka, folder: Path, seconds: float, max_age_s: float) -> dict[str, Any]:
    """One worker: its sustainable rate, then the burst and what it does to it."""
    prefix = f"overload-{max_age_s:g}-"
    settings = read_settings(bootstrap_servers=broker.bootstrap, topic_prefix=prefix, data_dir=folder / prefix)
    create_topics(settings)
    variables = {**variables_of(settings), "PROFILESTREAM_TRIGGER_MAX_AGE_S": str(max_age_s)}
    topics, offsets = build_topics(settings), Offsets(settings)
    with running(prefix, worker("profiles"), variables, folder) as process:

        def absorbed() -> int:
            return offsets.committed(app_id(settings, "profiles"), topics.events)

        send(settings, WARM_UP, 1e9)
        began = wait_until(lambda: absorbed() > 0, [process], "the first batch")
        first = absorbed()
        ended = wait_until(lambda: absorbed() >= WARM_UP, [process], "the warm-up")
        rate = (WARM_UP - first) / (ended - began)
        count = int(TIMES * rate * seconds)
        reader = CandidatesReader(settings)
        before_mb = rss_mb(process)
        try:
            began = time.perf_counter()
            sending_s = send(settings, count, TIMES * rate)
            name, asked = probe(settings), time.perf_counter()
            samples = []
            while (lag := WARM_UP + count + 1 - absorbed()) > 0:
                samples.append(Sample(round(time.perf_counter() - began, 1), lag, rss_mb(process)))
                if time.perf_counter() - began > TIMEOUT_S:
                    raise RuntimeError(f"the lag is still {lag}")
                time.sleep(SAMPLE_S)
            drained_s = time.perf_counter() - began
            wait_until(lambda: name in reader.read_at, [process], "the probe's candidates", 30)
        finally:
            reader.close()
        return {
            "max_age_s": max_age_s,
            "sustainable_per_s": round(rate),
            "burst_per_s": round(count / sending_s),
            "burst_events": count,
            "largest_lag": max((sample.lag for sample in samples), default=0),
            "drained_after_s": round(drained_s, 1),
            "probe_answered_after_s": round(reader.read_at[name] - asked, 2),
            "lists": reader.lists,
            "rss_before_mb": before_mb,
            "rss_peak_mb": round(process.peak_mb),
            "rss_after_mb": rss_mb(process),
            "samples": [asdict(sample) for sample in samples],
        }


def show(results: list[dict[str, Any]]) -> None:
    """Print the figures, and memory and lag over time."""
    table = Table(
        "figure",
        *(f"events older than {r['max_age_s']:g} s skipped" if r["max_age_s"] else "all answered" for r in results),
    )
    for name in results[0]:
        if name != "samples":
            table.add_row(name, *(f"{result[name]:,}" for result in results))
    console = Console()
    console.print(table)
    for result in results:
        console.print(" ".join(f"{s['at_s']:g}s:{s['lag']:,}/{s['rss_mb']}MB" for s in result["samples"][::4]))


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of the burst")
    parser.add_argument("--port", type=int, default=19392)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # broker and workers must end with this process
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch) / "kafka", arguments.port) as broker:
        results = [burst(broker, Path(scratch), arguments.seconds, age) for age in (0.0, MAX_AGE_S)]
    show(results)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"bursts": results, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
