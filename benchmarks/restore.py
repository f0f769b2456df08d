"""How fast a table comes back from its changelog, next to Kafka Streams with the same records; what a seal costs.

    python -m benchmarks.restore [--rows N] [--distinct N] [--value-bytes N] [--peer kstreams] [--out FILE]

A broker of its own is started beside the restore; nothing else should run on the machine.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from agents.admin import create_topics
from agents.local.java import find_java
from agents.runtime.metrics import Metrics
from agents.runtime.restore import Restorer
from agents.runtime.seal import Seal, Tally, checksum
from agents.runtime.table import Table
from agents.settings import Settings, read_settings
from agents.topics import app_id, build_topics
from benchmarks.filling import fill
from benchmarks.harness import ROOT, kafka, machine, variables_of

ROWS, DISTINCT = 2_000_000, 1_600_000
KEY_BYTES, VALUE_BYTES = 12, 88
RUNS = 3
POOL_BYTES = 1 << 20
PEER = Path(__file__).parent / "peers" / "kstreams"
PEER_TIMEOUT_S = 200
RESULTS = Path(__file__).parent / "results" / "restore.json"


class Rows:
    """Rows whose value is known from their number; a key comes again after `distinct` rows."""

    def __init__(self, distinct: int, value_bytes: int) -> None:
        self.distinct, self._size = distinct, value_bytes
        self._pool = random.Random(7).randbytes(POOL_BYTES + value_bytes)

    def key(self, number: int) -> bytes:
        """In no order of bytes."""
        return b"u%011d" % (number % self.distinct * 2_654_435_761 % 99_999_999_977)

    def value(self, number: int) -> bytes:
        """Does not compress."""
        place = number * 7_919 % POOL_BYTES
        return self._pool[place : place + self._size]

    def partitions(self, begin: int, end: int, count: int) -> list[int]:
        """In turn."""
        return [number % self.distinct % count for number in range(begin, end)]

    def before(self, number: int) -> int | None:
        """Checksum of what the row replaces."""
        old = number - self.distinct
        return None if old < 0 else checksum(self.key(old), self.value(old))


def once(settings: Settings) -> dict[str, float]:
    """One restore into an empty folder, in this process."""
    topics = build_topics(settings)
    table, metrics = Table(settings.data_dir / "restored", topics.profiles_changelog.name), Metrics()
    restorer = Restorer(settings, "profiles", [topics.events.name], table, metrics)
    cpu_before, began = time.process_time(), time.perf_counter()
    restorer.restore(frozenset(range(topics.profiles_changelog.partitions)))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_before
    table.close()
    return {
        "seconds": seconds,
        "rows": metrics.registry.get_sample_value("profilestream_restored_rows_total") or 0,
        "bytes": metrics.registry.get_sample_value("profilestream_restored_bytes_total") or 0,
        "cpu_s": cpu_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def restores(settings: Settings, folder: Path) -> Iterator[dict[str, Any]]:
    """Fresh restores, each in a process of its own."""
    for number in range(RUNS):
        data = folder / f"run-{number}"
        variables = variables_of(settings.model_copy(update={"data_dir": data}))
        command = [sys.executable, "-m", "benchmarks.restore", "--once"]
        done = subprocess.run(
            command, env={**os.environ, **variables}, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300
        )
        shutil.rmtree(data)
        yield json.loads(done.stdout)


def figures(settings: Settings, folder: Path) -> dict[str, Any]:
    """The median of some fresh restores, by rate."""
    runs = sorted(restores(settings, folder), key=lambda run: run["seconds"])
    run = runs[len(runs) // 2]
    return {
        "records": round(run["rows"]),
        "seconds": round(run["seconds"], 2),
        "rows_per_s": round(run["rows"] / run["seconds"]),
        "mb_per_s": round((run["bytes"] + run["rows"] * KEY_BYTES) / run["seconds"] / 1e6, 1),
        "cpu_us_per_row": round(run["cpu_s"] / run["rows"] * 1e6, 2),
        "peak_mb": round(run["peak_mb"]),
        "rows_per_s_of_each_run": [round(one["rows"] / one["seconds"]) for one in runs],
    }


def kstreams(settings: Settings, folder: Path) -> dict[str, Any]:
    """Kafka Streams restores a store of its own from the same changelog: from its restore's start to its end."""
    topics, jars = build_topics(settings), folder / "kstreams-jars"
    maven = ["mvn", "-q", "-B", "-f", str(PEER / "pom.xml"), "dependency:copy-dependencies"]
    subprocess.run([*maven, f"-DoutputDirectory={jars}"], check=True)
    rates, records = [], 0
    for threads in ("1", "2", "1", "2"):
        state = folder / "kstreams-state"
        arguments = [settings.bootstrap_servers, app_id(settings, "profiles"), "profiles", topics.events.name]
        done = subprocess.run(
            [
                find_java(),
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                f"{jars}/*",
                str(PEER / "RestorePeer.java"),
                *arguments,
                str(state),
                threads,
                str(topics.events.partitions),
            ],
            stdout=subprocess.PIPE,
            check=True,
            timeout=PEER_TIMEOUT_S,
        )
        shutil.rmtree(state)
        rows, seconds = done.stdout.split()
        records = int(rows)
        rates.append(round(records / float(seconds)))
    return {
        "records": records,
        "rows_per_s": max(rates),
        "rows_per_s_one_thread": rates[::2],
        "rows_per_s_two_threads": rates[1::2],
    }


def seal_cost() -> dict[str, float]:
    """Microseconds that a seal adds to a row that is written, for rows of some sizes."""
    found = {}
    for size in (100, 1_000, 9_000):
        old = {b"key%07d" % number: os.urandom(size) for number in range(1_000)}
        new: dict[bytes, bytes | None] = {key: os.urandom(size) for key in old}

        def seal(old: dict[bytes, bytes] = old, new: dict[bytes, bytes | None] = new) -> None:
            before = dict(zip(old, map(checksum, old, old.values()), strict=True))
            Seal(Tally(1_000, 1).after(new, [before[key] for key in new])).pack()

        found[f"us_per_row_of_{size}_bytes"] = round(min(timeit.repeat(seal, number=5, repeat=5)) / 5_000 * 1e6, 2)
    return found


def show(result: dict[str, Any]) -> None:
    """Print a result as a table."""
    table = RichTable("part", "figure", "value", title="restore benchmark")
    for part, of_part in result.items():
        for name, value in of_part.items():
            table.add_row(part, name, f"{value:,}" if isinstance(value, int) else str(value))
    Console().print(table)


def main() -> None:
    """Run the benchmark, print it, write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--distinct", type=int, default=DISTINCT)
    parser.add_argument("--value-bytes", type=int, default=VALUE_BYTES)
    parser.add_argument("--peer", choices=["kstreams"], help="measure this peer in the same run")
    parser.add_argument("--port", type=int, default=19392)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(once(read_settings())))
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the broker must end with this process
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with kafka(folder / "kafka", arguments.port) as broker:
            settings = read_settings(bootstrap_servers=broker.bootstrap, topic_prefix="restore-", data_dir=folder)
            create_topics(settings)
            fill(settings, Rows(arguments.distinct, arguments.value_bytes), arguments.rows)
            result = {"restore": figures(settings, folder), "seal, on the write side": seal_cost()}
            if arguments.peer:
                result[arguments.peer] = kstreams(settings, folder)
                ratio = result["restore"]["rows_per_s"] / result[arguments.peer]["rows_per_s"]
                result["ratio"] = {f"restore / {arguments.peer}": round(ratio, 1)}
    result["machine"] = machine()
    show(result)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
