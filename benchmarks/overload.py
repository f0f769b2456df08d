"""A burst of 20 times the sustainable rate: the log takes it, memory stays where it was, the lag goes to zero.

    python -m benchmarks.overload [--seconds S] [--out FILE]

Every purchase triggers a list, so the profiles worker makes candidates for each user in a batch. Its sustainable rate
is measured first, on a backlog. Then 20 times as many events a second are sent for some seconds, and probes behind
them: when does one get candidates, and when within a second again; with old events answered like others, and with
those skipped.
"""

import argparse
import json
import signal
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agents.local.kafka import LocalKafka
from agents.partition import partition_of, partitions_of
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import app_id, build_topics
from benchmarks.harness import Measured, Offsets, kafka, machine, running, settings_of, variables_of, wait_until, worker
from benchmarks.latency import candidates_of
from benchmarks.workload import ITEMS, SEED, USERS, event, zipf

TIMES = 20
WARM_UP = 200_000
"""Events of the backlog that shows the sustainable rate: ten full batches."""
MAX_AGE_S = 5.0
SAMPLE_S = 0.5
RECOVERED_S = 1.0
"""A list that comes within this time says that the backlog is over."""
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
    """Send purchases at a rate, as near to it as one producer gets; returns when the first went."""
    topic = build_topics(settings).events
    producer = plain_producer(settings, **{"linger.ms": 20, "queue.buffering.max.messages": 2_000_000})
    keys = [b"u%d" % user for user in zipf(np.random.default_rng(SEED), USERS, count)]
    partitions = partitions_of(keys, topic.partitions).tolist()
    now = time.time()
    # Made beforehand: the burst is to be limited by the broker, not by formatting.
    values = [event(key, b"i%d" % (number % ITEMS), b"purchase", now) for number, key in enumerate(keys)]
    began = time.perf_counter()
    for number, (key, value, partition) in enumerate(zip(keys, values, partitions, strict=True)):
        if number % 1_000 == 0:
            producer.poll(0)
            time.sleep(max(began + number / rate_per_s - time.perf_counter(), 0.0))
        producer.produce(topic.name, value, key, partition)
    if producer.flush(60):
        raise RuntimeError("the broker did not take all events")
    return began


class Probes:
    """Purchases of one user, sent one by one, and when the candidates that each triggers were read."""

    def __init__(self, settings: Settings) -> None:
        self._topic = build_topics(settings).events
        self._producer = plain_producer(settings)
        self._reader = candidates_of(settings)
        self._sent: dict[str, float] = {}

    def send(self) -> None:
        """Send one and wait until the broker has it."""
        now, key = time.perf_counter(), b"probe"
        self._producer.produce(
            self._topic.name,
            event(key, b"i1", b"purchase", time.time()),
            key,
            partition_of(key, self._topic.partitions),
            on_delivery=lambda _, m: self._sent.setdefault(f"{m.topic()}-{m.partition()}-{m.offset()}", now),
        )
        if self._producer.flush(10):
            raise RuntimeError("the broker did not take a probe")

    def answered(self) -> list[tuple[float, float]]:
        """(time of the answer, seconds it took) of those answered so far, in order of the answers."""
        read_at = self._reader.read_at
        pairs = [(read_at[name], read_at[name] - sent) for name, sent in self._sent.items() if name in read_at]
        return sorted(pairs, key=lambda pair: (pair[0], -pair[1]))

    @property
    def lists(self) -> int:
        """Lists read so far, also those of others."""
        return self._reader.records

    @property
    def sent(self) -> int:
        """How many were sent."""
        return len(self._sent)

    def close(self) -> None:
        """End the reader."""
        self._reader.close()


def burst(broker: LocalKafka, folder: Path, count: int | None, seconds: float, max_age_s: float) -> dict[str, Any]:
    """One worker: its sustainable rate, then the burst (`count` None: that rate x `TIMES` x `seconds`)."""
    prefix = f"overload-{max_age_s:g}-"
    settings = settings_of(broker, folder, prefix)
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
        count = count or int(TIMES * rate * seconds)
        probes = Probes(settings)
        before_mb = rss_mb(process)
        try:
            began = send(settings, count, TIMES * rate)
            sending_s = time.perf_counter() - began
            burst_end = time.perf_counter()
            samples = []
            while not any(took <= RECOVERED_S for _, took in probes.answered()):
                probes.send()
                lag = WARM_UP + count + probes.sent - absorbed()
                samples.append(Sample(round(time.perf_counter() - began, 1), lag, rss_mb(process)))
                if time.perf_counter() - began > TIMEOUT_S:
                    raise RuntimeError(f"no probe was answered within {RECOVERED_S:g} s; the lag is {lag}")
                time.sleep(SAMPLE_S)
        finally:
            probes.close()
        answered = probes.answered()
        return {
            "max_age_s": max_age_s,
            "sustainable_per_s": round(rate),
            "burst_per_s": round(count / sending_s),
            "times": round(count / sending_s / rate, 1),
            "burst_events": count,
            "largest_lag": max(sample.lag for sample in samples),
            "first_answer_after_s": round(answered[0][0] - burst_end, 1),
            "first_answer_took_s": round(answered[0][1], 1),
            "within_a_second_after_s": round(next(at for at, took in answered if took <= RECOVERED_S) - burst_end, 1),
            "lists": probes.lists,
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
        results: list[dict[str, Any]] = []
        for age in (0.0, MAX_AGE_S):
            count = results[0]["burst_events"] if results else None
            results.append(burst(broker, Path(scratch), count, arguments.seconds, age))
    show(results)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"bursts": results, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
