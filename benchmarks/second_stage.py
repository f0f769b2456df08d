"""What the second stage does when more lists are asked for than the cross-encoder can read.

    python -m benchmarks.second_stage [--rates 2 5 10 …] [--seconds 20] [--model FOLDER] [--out FILE]

A scorer on a broker of its own; candidates of users of amazon_office (`PROFILESTREAM_DATA`: five newest titles, 100
candidates drawn from the catalogue), open load at each rate in turn. Time from when a record was due to its list; the
share of lists that were read whole, in part and not at all. MiniLM-L6 with a fresh head, which costs what a trained one
does, unless `--model` names one. Settings are the defaults: 10 candidates of a list, 150 ms for a batch. Nothing else
should run on the machine. Written to `results/second_stage.json`.
"""

import argparse
import json
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from agents.admin import create_topics
from agents.packed import CANDIDATES, Candidates, pack_floats, pack_ints
from agents.records import Item, encode_json
from agents.runtime.clients import plain_producer
from agents.settings import Settings, read_settings
from agents.topics import build_topics
from benchmarks import latency
from benchmarks.harness import kafka, machine, running, variables_of, wait_until, worker
from benchmarks.scorer import model_folder, office_pairs

CANDIDATES_A_LIST, USERS = 100, 400
RATES = (2, 5, 10, 20, 50, 100, 200)
WARM_UP_S = 20.0
RESULTS = Path(__file__).parent / "results" / "second_stage.json"


class _Made(msgspec.Struct):
    triggers: list[str]
    degraded: bool
    cross_scored: int


_MADE = msgspec.json.Decoder(_Made)


class Load:
    """Candidates of users, over and over."""

    def __init__(self, settings: Settings) -> None:
        pairs = office_pairs(Path(os.environ["PROFILESTREAM_DATA"]), USERS)
        titles = dict.fromkeys(title for profile, item in pairs for title in (*profile.split("\n"), item))
        self._ids = {title: f"i{number}" for number, title in enumerate(titles)}
        self._users = [pairs[start : start + CANDIDATES_A_LIST] for start in range(0, len(pairs), CANDIDATES_A_LIST)]
        self._settings, self._topics, self._asked = settings, build_topics(settings), 0
        producer = plain_producer(settings)
        for title, item in self._ids.items():
            producer.produce(self._topics.items.name, encode_json(Item(item, title=title)), item.encode())
            producer.poll(0)
        producer.flush(60)

    def record(self, number: int) -> tuple[bytes, bytes]:
        """One candidates record; number: its name."""
        user = f"u{number % len(self._users)}"
        pairs = self._users[number % len(self._users)]
        recent = [self._ids[title] for title in reversed(pairs[0][0].split("\n"))]
        items = list(dict.fromkeys(self._ids[title] for _, title in pairs))
        candidates = Candidates(
            user_id=user,
            recommendation_id=str(number),
            triggers=[str(number)],
            request_id=None,
            k=10,
            asked_ms=0,
            deadline_ms=0,
            recent=recent,
            seen=recent,
            items=items,
            sources=["item_cf"],
            scores=pack_floats(np.linspace(1, 0.1, len(items), dtype=np.float32)),
            because=pack_ints(np.full(len(items), -1)),
            history_length=len(recent),
        )
        return user.encode(), CANDIDATES.write(candidates)

    def run(self, rate: int, seconds: float) -> dict[str, Any]:
        """The figures at a rate of lists a second."""
        count = max(20, round(rate * seconds))
        records = [self.record(self._asked + number) for number in range(count)]
        read = dict.fromkeys(("whole", "in part", "not"), 0)

        def answered(value: bytes) -> list[str]:
            made = _MADE.decode(value)
            read["whole" if not made.degraded else "in part" if made.cross_scored else "not"] += 1
            return made.triggers

        arrivals = latency.Arrivals(self._settings, self._topics.recommendations, answered)
        try:
            sent = latency.send_by_the_clock(
                plain_producer(self._settings, **{"linger.ms": 2}), self._topics.candidates, rate, records
            )
            asked = {str(self._asked + number): at for number, at in sent.values()}
            self._asked += count
            wait_until(lambda: arrivals.records >= count, [], f"{count} lists", 120)
        finally:
            arrivals.close()
        shares = {f"read {how}": round(lists / count, 3) for how, lists in read.items()}
        return {"lists_per_s": rate, **latency.times(arrivals, asked), **shares}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table("lists/s", "read whole", "in part", "not", "p50, ms", "p99, ms")
    for row in rows:
        shares = [f"{row[f'read {how}']:.0%}" for how in ("whole", "in part", "not")]
        table.add_row(str(row["lists_per_s"]), *shares, str(row["p50_ms"]), str(row["p99_ms"]))
    Console().print(table)


def main() -> None:
    """Run the benchmark, print it, write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--port", type=int, default=19692)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the broker and the worker must end with this process
    with tempfile.TemporaryDirectory() as scratch, model_folder(arguments.model) as model:
        folder = Path(scratch)
        with kafka(folder / "kafka", arguments.port) as broker:
            settings = read_settings(
                bootstrap_servers=broker.bootstrap, topic_prefix="second-", data_dir=folder / "data"
            )
            create_topics(settings)
            load = Load(settings)
            variables = {
                **variables_of(settings),
                "PROFILESTREAM_CROSS_MODEL": str(model.path),
                "PROFILESTREAM_DEVICE": "cpu",
            }
            with running("scorer", worker("scorer"), variables, folder) as scorer:
                wait_until(lambda: "works" in scorer.log.read_text(), [scorer], "the scorer")
                load.run(min(arguments.rates), WARM_UP_S)
                rows = [load.run(rate, arguments.seconds) for rate in arguments.rates]
    show(rows)
    told = {"rows": rows, "candidates_read": settings.cross_candidates, "cross_ms": settings.cross_ms}
    arguments.out.write_text(json.dumps({**told, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
