"""The whole pipeline, a process of each kind: events a second into profiles, co-counts and neighbours; event → list.

    python -m benchmarks.pipeline [--events N] [--seconds S] [--rates 1000 …] [--out FILE]

*Drain*: so many events are in the topic when profiles and similarity start side by side; the clock runs from their
first commits until the last event is in a profile and the last change of co-counts in a row and in what is published.
*Latency*: a profiles, a similarity and a scorer worker (no BERT), open load in the workload's mix (70 % views, 20 %
clicks, 7 % carts, 3 % purchases; all but views trigger a list), and of purchases alone, each of which does. A broker of
its own is started beside them, on the same cores; nothing else should run on the machine.
"""

import argparse
import json
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.local.kafka import LocalKafka
from agents.settings import Settings
from agents.topics import app_id, build_topics
from benchmarks import latency, workload
from benchmarks.harness import Measured, Offsets, kafka, machine, running, settings_of, variables_of, wait_until, worker
from benchmarks.profiles import ends_of_changes

HISTORY = 100_000
"""Events that are there before latency is measured."""
WARM_UP_S = 90.0
"""A broker that has just started takes twice as long for a commit: its code is not compiled yet."""
ROWS_PUBLISHED_PER_S = 200
"""While latency is measured: on two cores the neighbours of 500 items a second, the default, make all others wait."""
RESULTS = Path(__file__).parent / "results" / "pipeline.json"
MIX = tuple(workload.KINDS.tolist())


def _start(stack: ExitStack, kinds: list[str], settings: Settings, folder: Path, **more: str) -> list[Measured]:
    environment = {**variables_of(settings), **more}
    return [
        stack.enter_context(running(f"{kind}-{settings.topic_prefix}", worker(kind), environment, folder))
        for kind in kinds
    ]


class Drained:
    """Whether all events are absorbed, and all that came of them."""

    def __init__(self, settings: Settings, count: int) -> None:
        self._settings, self._topics, self._count = settings, build_topics(settings), count
        self._offsets = Offsets(settings)

    def events(self) -> int:
        """Absorbed by the profiles worker."""
        return self._offsets.committed(app_id(self._settings, "profiles"), self._topics.events)

    def __call__(self) -> bool:
        if self.events() < self._count:
            return False
        behind = self._offsets.committed(app_id(self._settings, "similarity"), self._topics.cooccurrence)
        return behind >= ends_of_changes(self._settings)


def drain(broker: LocalKafka, folder: Path, count: int) -> dict[str, Any]:
    """Events/s through profiles and similarity, side by side."""
    settings = settings_of(broker, folder, "drain-")
    workload.produce(settings, count)
    drained = Drained(settings, count)
    with ExitStack() as stack:
        workers = _start(stack, ["profiles", "similarity"], settings, folder, PROFILESTREAM_TRIGGER_TYPES="")
        began = wait_until(lambda: drained.events() > 0, workers, "the first batch")
        first, cpu_before = drained.events(), sum(one.cpu_s for one in workers)
        ended = wait_until(drained, workers, "the last change", 600)
        return {
            "events": count,
            "events_per_s": round((count - first) / (ended - began)),
            "cpu_us_per_event": round((sum(one.cpu_s for one in workers) - cpu_before) / (count - first) * 1e6, 1),
            "peak_mb": {one.name.split("-")[0]: round(one.peak_mb) for one in workers},
        }


def latencies(broker: LocalKafka, folder: Path, rates: list[int], seconds: float) -> dict[str, Any]:
    """Event → candidates and event → list at some rates, in both mixes; CPU of each worker, in cores."""
    settings = settings_of(broker, folder, "latency-")
    workload.produce(settings, HISTORY)
    drained, found = Drained(settings, HISTORY), dict[str, Any]()
    with ExitStack() as stack:
        pace = {"PROFILESTREAM_ROWS_PUBLISHED_PER_S": str(ROWS_PUBLISHED_PER_S)}
        workers = _start(stack, ["profiles", "similarity", "scorer"], settings, folder, **pace)
        wait_until(drained, workers, "the history")
        latency.measure(settings, rates[0], WARM_UP_S, (latency.lists_of,), MIX)
        for kinds, what in ((MIX, "mix"), (("purchase",), "purchases")):
            for rate in rates:
                before = {one.name: _cpu_s(one) for one in workers}
                both = (latency.candidates_of, latency.lists_of)
                hop, whole = latency.measure(settings, rate, seconds, both, kinds)
                cores = {
                    one.name.split("-")[0]: round((_cpu_s(one) - before[one.name]) / seconds, 2) for one in workers
                }
                found[f"{what}, {rate:,} events/s"] = {"candidates": hop, "list": whole, "cores": cores}
                wait_until(drained, workers, "what is behind")
    return found


def _cpu_s(process: Measured) -> float:
    process.sample()
    return process.cpu_s


def show(result: dict[str, Any]) -> None:
    """Print a result as tables."""
    console = Console()
    if "drain" in result:
        console.print(result["drain"])
    table = Table("load", "lists", "to candidates p50 / p99", "to list p50 / p99 / p99.9, ms", "cores")
    for name, row in result.get("latency", {}).items():
        hop, whole = row["candidates"], row["list"]
        table.add_row(
            name,
            f"{whole['answered']:,} of {whole['asked']:,}",
            f"{hop['p50_ms']} / {hop['p99_ms']}",
            f"{whole['p50_ms']} / {whole['p99_ms']} / {whole['p99.9_ms']}",
            ", ".join(f"{kind} {cores}" for kind, cores in row["cores"].items()),
        )
    console.print(table)


def main() -> None:
    """Run the benchmark, print it, write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=workload.LARGEST, help="0: no drain")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000])
    parser.add_argument("--port", type=int, default=19592)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the broker and the workers must end with this process
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with kafka(folder / "kafka", arguments.port) as broker:
            if arguments.events:
                result["drain"] = drain(broker, folder, arguments.events)
            result["latency"] = latencies(broker, folder, arguments.rates, arguments.seconds)
    result["machine"] = machine()
    show(result)
    arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
