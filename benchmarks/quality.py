"""How good the lists are: the default configuration on the data sets that are there, beside the bar and popularity.

    PROFILESTREAM_DATA=… python -m benchmarks.quality [--sets A B …] [--validation] [--out FILE]

Prequential (see `agents.evaluation.prequential`): the first 80 % of the events train, the rest is asked about one by
one. With --validation 64 % train and what lies between 64 % and 80 % is asked about: what settings are chosen on. The
bar is the best of eleven libraries and of a trial of this structure on the same data.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.errors import SetupError
from agents.evaluation.datasets import load
from agents.evaluation.pipeline import Pipeline
from agents.evaluation.prequential import prequential
from agents.settings import read_settings
from benchmarks.harness import machine

BAR = {
    "ml-100k": (0.217, 0.329),
    "ml-latest-small": (0.115, 0.162),
    "online_retail": (0.133, 0.193),
    "online_retail-file": (0.297, 0.351),
    "online_retail-basket": (0.045, 0.073),
    "amazon_giftcards": (0.336, 0.509),
    "amazon_office": (0.157, 0.180),
}
"""HR@10 and HR@20."""
K = 20
RESULTS = Path(__file__).parent / "results" / "quality.json"


def run(name: str, validation: bool) -> dict[str, Any]:
    """The figures of one data set. Raises `SetupError` if it is not there."""
    dataset = load(name)
    events = dataset.events[: round(0.8 * len(dataset.events))] if validation else dataset.events
    pipeline = Pipeline(read_settings(), events[0].at_ms)
    pipeline.put_items(dataset.items)
    began = time.perf_counter()
    report = prequential(events, pipeline, K, 0.8, lambda _: None)
    figures = {
        method: [round(accuracy.hit_rate(k).value, 4) for k in (10, 20)]
        for method, accuracy in (("profilestream", report.lists), ("popular", report.popular))
    }
    return {
        "compared": len(report.lists.ranks),
        **figures,
        "error": [round(report.lists.hit_rate(k).error, 4) for k in (10, 20)],
        "bar": BAR[name],
        "seconds": round(time.perf_counter() - began),
    }


def show(results: dict[str, dict[str, Any]]) -> None:
    """One row for each data set."""
    table = Table("data set", "events compared", "HR@10 / HR@20", "bar", "popularity")
    for name, one in results.items():
        rates = {key: f"{one[key][0]:.3f} / {one[key][1]:.3f}" for key in ("profilestream", "bar", "popular")}
        table.add_row(name, f"{one['compared']:,}", rates["profilestream"], rates["bar"], rates["popular"])
    Console().print(table)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=BAR, default=list(BAR))
    parser.add_argument("--validation", action="store_true", help="the events between 64 and 80 %%")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    results, missing = {}, []
    for name in arguments.sets:
        try:
            results[name] = run(name, arguments.validation)
        except SetupError as exc:
            missing.append(name)
            print(exc)
            continue
        print(name, json.dumps(results[name]), flush=True)
    show(results)
    if missing:
        print(f"missing: {', '.join(missing)}")
    out = arguments.out or (None if arguments.validation else RESULTS)
    if out is not None and results:
        out.write_text(json.dumps({"sets": results, "missing": missing, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
