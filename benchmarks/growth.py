"""What an event costs as users, items, histories and partitions grow, and with more workers; how soon state is back.

    python -m benchmarks.growth [--only users items …] [--events N] [--out FILE]

For each size a table of that many users is written into the changelog, a history each, and a backlog of events: users
take turns, so that a batch (2,500 records, perhaps all of one partition) has one event of a user; items are drawn by
popularity (Zipf). Then profiles workers start: *back* is the time until they have restored the table and committed
their first batch; from there to the last event the rate and the CPU time of an event are taken. Co-counts are on, lists
off (`benchmarks.lists` has what these cost). Of 10⁷ users the rows are small, of one item each: what grows is the
number of keys. Written to `results/growth.json`.
"""

import argparse
import json
import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agents.local.kafka import LocalKafka
from agents.packed import PROFILE
from agents.partition import partitions_of
from agents.settings import Settings
from agents.topics import app_id, build_topics
from benchmarks import workload
from benchmarks.filling import fill
from benchmarks.harness import Offsets, kafka, machine, pace_of, running, settings_of, variables_of, worker
from models.history import History
from models.profile import Profile, pack_contact

EVENTS = 200_000
BATCH = 2_500
BACKLOG_TIMEOUT_S = 300.0
POOL = 1_000
"""Different rows; users share them."""
RESULTS = Path(__file__).parent / "results" / "growth.json"


@dataclass(frozen=True)
class Size:
    """What is there before the events come, and who works on them."""

    users: int = 100_000
    items: int = 10_000
    history: int = 10
    partitions: int = 4
    workers: int = 1


CURVES: dict[str, list[Size]] = {
    "users": [Size(users=10_000), Size(), Size(users=1_000_000), Size(users=10_000_000, history=1)],
    "items": [Size(), Size(items=100_000), Size(items=1_000_000)],
    "history": [Size(), Size(history=50), Size(history=200), Size(history=500)],
    "partitions": [Size(), Size(partitions=16), Size(partitions=64)],
    "workers": [Size(partitions=16), Size(partitions=16, workers=2), Size(partitions=16, workers=4)],
}


def user(number: int) -> bytes:
    """In no order of bytes."""
    return b"u%011d" % (number * 2_654_435_761 % 99_999_999_977)


class Profiles:
    """Rows of users with a history each."""

    def __init__(self, size: Size) -> None:
        rng = np.random.default_rng(workload.SEED)
        drawn = workload.zipf(rng, size.items, 2 * POOL * size.history).reshape(POOL, -1)
        self._rows = [PROFILE.write(_profile(items[: size.history].tolist())) for items in drawn]

    def key(self, number: int) -> bytes:
        """Of a user."""
        return user(number)

    def value(self, number: int) -> bytes:
        """One of the pool."""
        return self._rows[number % POOL]

    def partitions(self, begin: int, end: int, count: int) -> list[int]:
        """As everywhere, by the key."""
        return list(map(int, partitions_of([user(number) for number in range(begin, end)], count)))

    def before(self, number: int) -> int | None:  # noqa: ARG002
        """Every user is new."""
        return None


def _profile(items: list[int]) -> Profile:
    contacts = History.of({f"i{item}": pack_contact(workload.FIRST_TIME_S - 1, 1.0) for item in items})
    return Profile(contacts, events=len(items), last_ms=(workload.FIRST_TIME_S - 1) * 1000)


def produce(settings: Settings, size: Size, count: int) -> None:
    """Events of users in random order, each again when all the others had their turn."""
    rng = np.random.default_rng(workload.SEED + 1)
    turns = [rng.permutation(size.users)[:count] for _ in range(-(-count // size.users))]
    keys = [user(number) for number in np.concatenate(turns)[:count].tolist()]
    items = workload.zipf(rng, size.items, count).tolist()
    written = [
        (key, workload.event(key, b"i%d" % item, b"view", workload.FIRST_TIME_S + number * 0.001))
        for number, (key, item) in enumerate(zip(keys, items, strict=True))
    ]
    workload.send(settings, written)


def run(broker: LocalKafka, folder: Path, size: Size, count: int) -> dict[str, Any]:
    """One size."""
    prefix = "-".join(str(part) for part in asdict(size).values()) + "-"
    settings = settings_of(broker, folder, prefix, user_partitions=size.partitions)
    fill(settings, Profiles(size), size.users)
    produce(settings, size, count)
    offsets, group, events = Offsets(settings), app_id(settings, "profiles"), build_topics(settings).events

    def absorbed() -> int:
        return offsets.committed(group, events)

    environment = {
        **variables_of(settings),
        "PROFILESTREAM_TRIGGER_TYPES": "",
        "PROFILESTREAM_MAX_BATCH_RECORDS": str(BATCH),
    }
    with ExitStack() as stack:
        started = time.perf_counter()
        workers = [
            stack.enter_context(
                running(
                    f"{prefix}{number}",
                    worker("profiles"),
                    {**environment, "PROFILESTREAM_INSTANCE": f"{number}"},
                    folder,
                )
            )
            for number in range(size.workers)
        ]
        pace = pace_of(absorbed, lambda: absorbed() >= count, workers, count, BACKLOG_TIMEOUT_S)
        peak_mb = sum(one.peak_mb for one in workers)
    stored = sum(path.stat().st_size for path in settings.data_dir.rglob("*") if path.is_file())
    shutil.rmtree(settings.data_dir)
    return {
        **asdict(size),
        "back_s": round(pace.began - started, 1),
        "events_per_s": pace.events_per_s,
        "cpu_us_per_event": pace.cpu_us_per_event,
        "peak_mb": round(peak_mb),
        "disk_mb": round(stored / 1e6, 1),
    }


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """A table of each curve."""
    for name, rows in found.items():
        table = Table(name, "back, s", "events/s", "CPU µs an event", "× first", "memory, MB", "disk, MB")
        for row in rows:
            table.add_row(
                f"{row[name]:,}",
                f"{row['back_s']}",
                f"{row['events_per_s']:,}",
                f"{row['cpu_us_per_event']}",
                f"{row['cpu_us_per_event'] / rows[0]['cpu_us_per_event']:.2f}",
                f"{row['peak_mb']:,}",
                f"{row['disk_mb']:,}",
            )
        Console().print(table)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CURVES, default=list(CURVES))
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--scale", type=float, default=1.0, help="of the users, for a try")
    parser.add_argument("--port", type=int, default=19692)
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the broker and the workers must end with this process
    known: dict[Size, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.only:
            for size in CURVES[name]:
                if size not in known:
                    folder = Path(scratch) / f"{len(known)}"
                    folder.mkdir()
                    with kafka(folder / "kafka", arguments.port) as broker:
                        scaled = replace(size, users=round(size.users * arguments.scale))
                        known[size] = run(broker, folder, scaled, arguments.events)
                    shutil.rmtree(folder)
                    print(json.dumps(known[size]), flush=True)
    found = {name: [known[size] for size in CURVES[name]] for name in arguments.only}
    show(found)
    whole = arguments.scale == 1 and list(arguments.only) == list(CURVES)
    if out := arguments.out or (RESULTS if whole else None):
        out.write_text(json.dumps({"curves": found, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
