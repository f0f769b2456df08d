"""How good the lists are: the data sets that are there, beside the bar and popularity.

    PROFILESTREAM_DATA=… python -m benchmarks.quality [--sets A B …] [--peers ease] [--validation] [--out FILE]

Prequential (see `agents.evaluation.prequential`): the first 80 % of the events train, the rest is asked about one by
one, and so are models of others (--peers '': none). With --validation 64 % train and what lies between 64 % and 80 % is
asked about: what settings are chosen on.
Without options the figures are written to `results/quality.json`, with the settings that are not the defaults.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.errors import SetupError
from agents.evaluation.against import chosen
from agents.evaluation.datasets import load
from agents.evaluation.figures import figures
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
PEERS = "ease,implicit,sequential"
OURS = ("profilestream", "popular")
RESULTS = Path(__file__).parent / "results" / "quality.json"


def run(name: str, settings: Settings, validation: bool, peers: str = "") -> dict[str, Any]:
    """The figures of one data set. Raises `SetupError` if it is not there."""
    began = time.perf_counter()
    against = chosen(peers, settings.recency_power)
    played = Prequential(load(name), settings, K, TRAIN if validation else 1.0, against)
    report = played.run(TRAIN, lambda _: None)
    told = figures(name, report, K)
    rates = {method: [one["HR@10"][0], one["HR@20"][0]] for method, one in told["methods"].items()}
    return {
        "compared": told["compared"],
        **{method: rates.pop(method) for method in OURS},
        "error": [told["methods"]["profilestream"][f"HR@{cut}"][1] for cut in (10, 20)],
        "bar": BAR[name],
        "peers": rates,
        "seconds": round(time.perf_counter() - began),
        "peer_seconds": report.peer_seconds,
    }


def show(results: dict[str, dict[str, Any]]) -> None:
    """One row for each data set; of the peers the one with most hits in the first 10."""
    table = Table("data set", "events", "HR@10 / HR@20", "bar", "popularity", "best peer")
    for name, one in results.items():
        best = max(one["peers"], key=lambda peer: one["peers"][peer][0], default="")
        rates = [one["profilestream"], one["bar"], one["popular"], *([one["peers"][best]] if best else [])]
        texts = [f"{ten:.3f} / {twenty:.3f}" for ten, twenty in rates]
        texts[3:] = [f"{text} {best}" for text in texts[3:]]
        table.add_row(
            name,
            f"{one['compared']:,}",
            *texts,
        )
    Console().print(table)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=BAR, default=None)
    parser.add_argument("--peers", default=PEERS, help="of ease, implicit, sequential; '': none (default: %(default)s)")
    parser.add_argument("--validation", action="store_true", help="the events between 64 and 80 %%")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    settings = read_settings()
    chosen(arguments.peers, settings.recency_power)  # a wrong name is to be said before the work
    results, missing = {}, []
    for name in arguments.sets or BAR:
        try:
            results[name] = run(name, settings, arguments.validation, arguments.peers)
        except SetupError as exc:
            missing.append(name)
            print(exc)
            continue
        print(name, json.dumps(results[name]), flush=True)
    show(results)
    if missing:
        print(f"missing: {', '.join(missing)}")
    whole = not (missing or arguments.sets or arguments.validation or arguments.peers != PEERS)
    if out := arguments.out or (RESULTS if whole else None):
        changed = {name: str(getattr(settings, name)) for name in sorted(settings.model_fields_set - {"data"})}
        found = {"sets": results, "missing": missing, "settings": changed, "machine": machine()}
        out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
