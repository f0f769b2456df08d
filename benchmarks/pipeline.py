"""The whole pipeline, a process of each kind: events a second into profiles, co-counts and neighbours; event → list.

    python -m benchmarks.pipeline [--events N] [--rounds R] [--seconds S] [--rates 1000 …] [--partitions 4 2 …]

*Drain*: so many events are in the topic when profiles and similarity start side by side; the clock runs from their
first commits until the last event is in a profile and the last change of co-counts in a row. Then a Kafka Streams
program that keeps the same histories and co-counts (`peers/kstreams/PipelinePeer.java`, exactly once; `python -m
benchmarks.update --prepare` compiles it) does the same. Once all is published, the co-counts of both are compared with
a plain replay; if they differ there is no result.
*Latency*: a profiles, a similarity and a scorer worker (no BERT), open load in the workload's mix (70 % views, 20 %
clicks, 7 % carts, 3 % purchases; all but views trigger a list), and of purchases alone, each of which does. Then
without a scorer: profiles workers make the lists (`PROFILESTREAM_LISTS_BY`). Both ways of making lists, with each
number of partitions: a transaction sends the broker one request for each partition that it writes to. A broker of its
own is started beside them, on the same cores; nothing else should run on the machine. Each load is measured in rounds:
medians of their percentiles are shown, and of each round p50, p99 and the cores that the host took from us meanwhile.
"""

import argparse
import json
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from confluent_kafka.admin import NewTopic
from rich.console import Console
from rich.table import Table

from agents.local.kafka import LocalKafka
from agents.runtime.clients import admin_client
from agents.settings import Settings
from agents.topics import Topic, app_id, build_topics
from benchmarks import latency, workload
from benchmarks.co_counts import Published, Replay, newest, of_kstreams, of_product
from benchmarks.harness import (
    Measured,
    Offsets,
    Pace,
    cpu_s_of,
    kafka,
    machine,
    pace_of,
    running,
    settings_of,
    stolen_s,
    variables_of,
    wait_until,
    worker,
)
from benchmarks.profiles import ends_of_changes
from benchmarks.update.prepare import PeerMissingError, kstreams_java

HISTORY = 100_000
"""Events that are there before latency is measured."""
DRAIN_TIMEOUT_S = 1_200.0
WARM_UP_S = 90.0
"""A broker that has just started takes twice as long for a commit: its code is not compiled yet."""
WORKERS_WARM_UP_S = 20.0
"""Of new workers at a broker that is warm."""
ROWS_PUBLISHED_PER_S = 200
"""While latency is measured: on two cores the neighbours of 500 items a second, the default, make all others wait."""
RESULTS = Path(__file__).parent / "results" / "pipeline.json"
MIX = tuple(workload.KINDS.tolist())
NICE = {"similarity": 10}
"""Nobody waits for it; at the same priority it takes cores from the others for .3 s of every 2."""


class Way(NamedTuple):
    """How lists are made."""

    lists_by: str
    partitions: int
    """Of the topics of users, and of those of items."""


def _start(stack: ExitStack, kinds: list[str], settings: Settings, folder: Path, **more: str) -> list[Measured]:
    environment = {**variables_of(settings), **more}
    return [
        stack.enter_context(
            running(f"{kind}-{settings.topic_prefix}", worker(kind, NICE.get(kind, 0)), environment, folder)
        )
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
    """Events/s through profiles and similarity, side by side. Raises `RuntimeError` if co-counts are wrong."""
    settings = settings_of(broker, folder, "drain-")
    workload.produce(settings, count)
    drained = Drained(settings, count)
    with ExitStack() as stack:
        workers = _start(stack, ["profiles", "similarity"], settings, folder, PROFILESTREAM_TRIGGER_TYPES="")
        pace = pace_of(drained.events, drained, workers, count, DRAIN_TIMEOUT_S)
        found = _told(count, pace, workers)
        _check(settings, build_topics(settings).neighbours, count, of_product, settings.row_neighbours)
    return found


def drain_peer(broker: LocalKafka, folder: Path, count: int) -> dict[str, Any]:
    """The same with Kafka Streams. Raises `PeerMissingError` if it cannot run here, else as `drain`."""
    settings, group = settings_of(broker, folder, "peer-"), "peer-pipeline"
    events = build_topics(settings).events
    pairs = Topic(f"{group}-pairs-repartition", settings.item_partitions, "delete")
    near = Topic("peer-near", settings.item_partitions, "compact")
    command = [*kstreams_java(), "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "PipelinePeer"]
    admin = admin_client(settings)  # kept until the answer is there
    admin.create_topics([NewTopic(near.name, near.partitions, 1)])[near.name].result()
    workload.produce(settings, count)
    environment = {
        "PEER_BROKER": broker.bootstrap,
        "PEER_GROUP": group,
        "PEER_DIR": str(folder / "peer"),
        "PEER_IN": events.name,
        "PEER_NEIGHBOURS": near.name,
        "PEER_ROWS_A_SECOND": str(settings.rows_published_per_s),
    }
    offsets = Offsets(settings)

    def drained() -> bool:
        if offsets.committed(group, events) < count:
            return False
        return offsets.committed(group, pairs) >= ends_of_changes(settings, pairs)

    with running("kstreams-peer", command, environment, folder) as peer:
        pace = pace_of(lambda: offsets.committed(group, events), drained, [peer], count, DRAIN_TIMEOUT_S)
        found = _told(count, pace, [peer])
        _check(settings, near, count, of_kstreams)
    return found


def _told(count: int, pace: Pace, workers: list[Measured]) -> dict[str, Any]:
    return {
        "events": count,
        "events_per_s": pace.events_per_s,
        "cpu_us_per_event": pace.cpu_us_per_event,
        "peak_mb": {one.name.split("-")[0]: round(one.peak_mb) for one in workers},
    }


def _check(settings: Settings, topic: Topic, count: int, read: Callable[[bytes], Published], most: int = 0) -> None:
    replay = Replay(count, settings.history_size, settings.pair_window)
    wrong = replay.differences(newest(settings, topic), read, most)
    if wrong:
        raise RuntimeError(f"{topic.name}: co-counts of {wrong} items are not those of a replay")


def _round(
    settings: Settings,
    rate: int,
    seconds: float,
    arrivals: Sequence[Callable[[Settings], latency.Arrivals]],
    types: Sequence[str],
    pids: dict[str, int],
) -> dict[str, Any]:
    """Latencies, and cores of the processes; `stolen`: those that the host ran other machines on."""
    before, stolen = {name: cpu_s_of(pid) for name, pid in pids.items()}, stolen_s()
    whole, *hop = latency.measure(settings, rate, seconds, arrivals, types)
    cores = {name: round((cpu_s_of(pid) - before[name]) / seconds, 2) for name, pid in pids.items()}
    found = {"list": whole, "cores": cores, "stolen": round((stolen_s() - stolen) / seconds, 2)}
    return {**found, "candidates": hop[0]} if hop else found


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(one[name] for one in rounds), 2) for name in rounds[0]}


def _row(measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of some rounds, and `rounds`: what tells most of each."""
    rounds = [
        {"p50_ms": one["list"]["p50_ms"], "p99_ms": one["list"]["p99_ms"], "stolen": one["stolen"]} for one in measured
    ]
    kinds = [name for name in measured[0] if name != "stolen"]
    return {name: _medians([one[name] for one in measured]) for name in kinds} | {"rounds": rounds}


def latencies(
    broker: LocalKafka, folder: Path, way: Way, rates: list[int], seconds: float, rounds: int, warm_up_s: float
) -> dict[str, Any]:
    """Event → candidates and event → list at some rates, in both mixes; CPU of each worker and the broker, in cores."""
    settings = settings_of(
        broker,
        folder,
        f"latency-{way.lists_by}-{way.partitions}-",
        user_partitions=way.partitions,
        item_partitions=way.partitions,
        lists_by=way.lists_by,
    )
    workload.produce(settings, HISTORY)
    by_scorer = way.lists_by == "scorer"
    drained, found = Drained(settings, HISTORY), dict[str, Any]()
    with ExitStack() as stack:
        more = {
            "PROFILESTREAM_ROWS_PUBLISHED_PER_S": str(ROWS_PUBLISHED_PER_S),
            "PROFILESTREAM_LISTS_BY": way.lists_by,
        }
        kinds = ["profiles", "similarity", *(["scorer"] if by_scorer else [])]
        workers = _start(stack, kinds, settings, folder, **more)
        wait_until(drained, workers, "the history")
        latency.measure(settings, rates[0], warm_up_s, (latency.lists_of,), MIX)
        pids = {one.name.split("-")[0]: one.process.pid for one in workers} | {"broker": broker.status().pid or 0}
        for types, what in ((MIX, "mix"), (("purchase",), "purchases")):
            for rate in rates:
                arrivals = (latency.lists_of, *([latency.candidates_of] if by_scorer else []))
                measured = []
                for _ in range(rounds):
                    measured.append(_round(settings, rate, seconds, arrivals, types, pids))
                    wait_until(drained, workers, "what is behind")
                found[f"{what}, {rate:,} events/s"] = _row(measured)
    return {**way._asdict(), "loads": found}


def show(result: dict[str, Any]) -> None:
    """Print a result as tables."""
    console = Console()
    for name in ("drain", "drain, kstreams"):
        if name in result:
            console.print(name, result[name])
    table = Table(
        "load",
        "lists by",
        "partitions",
        "lists a round",
        "to candidates p50 / p99",
        "to list p50 / p99 / p99.9, ms",
        "cores",
        "rounds: p50 / p99, cores stolen",
    )
    for way in result.get("latency", []):
        for name, row in way["loads"].items():
            hop, whole = row.get("candidates"), row["list"]
            table.add_row(
                name,
                way["lists_by"],
                str(way["partitions"]),
                f"{whole['answered']:,.0f} of {whole['asked']:,.0f}",
                f"{hop['p50_ms']} / {hop['p99_ms']}" if hop else "",
                f"{whole['p50_ms']} / {whole['p99_ms']} / {whole['p99.9_ms']}",
                ", ".join(f"{kind} {cores:.2f}" for kind, cores in row["cores"].items()),
                "; ".join(f"{one['p50_ms']} / {one['p99_ms']}, {one['stolen']}" for one in row["rounds"]),
            )
    console.print(table)


def main() -> None:
    """Run the benchmark, print it, write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=workload.LARGEST, help="0: no drain")
    parser.add_argument("--peer-events", type=int, default=200_000, help="0: as many")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000])
    parser.add_argument("--partitions", type=int, nargs="+", default=[4, 2])
    parser.add_argument("--port", type=int, default=19592)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the broker and the workers must end with this process
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if arguments.events:
            with kafka(folder / "kafka", arguments.port) as broker:
                result["drain"] = drain(broker, folder, arguments.events)
                try:
                    result["drain, kstreams"] = drain_peer(broker, folder, arguments.peer_events or arguments.events)
                except PeerMissingError as exc:
                    print(f"Kafka Streams is left out: {exc}")
        # Another broker: the first one goes on compacting what was drained, on the same cores.
        with kafka(folder / "fresh-kafka", arguments.port) as broker:
            counts = dict.fromkeys(arguments.partitions)
            ways = [Way(by, count) for by in ("scorer", "profiles") for count in counts]
            result["latency"] = [
                latencies(
                    broker,
                    folder,
                    way,
                    arguments.rates,
                    arguments.seconds,
                    arguments.rounds,
                    WORKERS_WARM_UP_S if place else WARM_UP_S,
                )
                for place, way in enumerate(ways)
            ]
    result["machine"] = machine()
    show(result)
    arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
