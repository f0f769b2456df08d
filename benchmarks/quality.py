"""How good the lists are: the data sets that are there, beside the bar and popularity.

    PROFILESTREAM_DATA=… python -m benchmarks.quality [--sets A B …] [--validation] [--out FILE]

Prequential (see `agents.evaluation.prequential`): the first 80 % of the events train, the rest is asked about one by
one. With --validation 64 % train and what lies between 64 % and 80 % is asked about: what settings are chosen on.
Without options the figures are written to `results/quality.json`, with the settings that are not the defaults.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.commands.evaluate import figures
from agents.errors import SetupError
from agents.evaluation.datasets import load
from agents.evaluation.prequential import Prequential
from agents.settings import Settings, read_settings
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
"""HR@10 and HR@20 that lists are to reach: about the best of eleven libraries, refitted often, on the same data."""
K, TRAIN = 20, 0.8
RESULTS = Path(__file__).parent / "results" / "quality.json"


def run(name: str, settings: Settings, validation: bool) -> dict[str, Any]:
    """The figures of one data set. Raises `SetupError` if it is not there."""
    began = time.perf_counter()
    report = Prequential(load(name), settings, K, TRAIN if validation else 1.0).run(TRAIN, lambda _: None)
    told = figures(name, report, K)
    rates = {method: [one["HR@10"][0], one["HR@20"][0]] for method, one in told["methods"].items()}
    return {
        "compared": told["compared"],
        **rates,
        "error": [told["methods"]["profilestream"][f"HR@{cut}"][1] for cut in (10, 20)],
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
    parser.add_argument("--sets", nargs="*", choices=BAR, default=None)
    parser.add_argument("--validation", action="store_true", help="the events between 64 and 80 %%")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    settings = read_settings()
    results, missing = {}, []
    for name in arguments.sets or BAR:
        try:
            results[name] = run(name, settings, arguments.validation)
        except SetupError as exc:
            missing.append(name)
            print(exc)
            continue
        print(name, json.dumps(results[name]), flush=True)
    show(results)
    if missing:
        print(f"missing: {', '.join(missing)}")
    whole = not (missing or arguments.sets or arguments.validation)
    if out := arguments.out or (RESULTS if whole else None):
        changed = {name: str(getattr(settings, name)) for name in sorted(settings.model_fields_set - {"data"})}
        found = {"sets": results, "missing": missing, "settings": changed, "machine": machine()}
        out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
