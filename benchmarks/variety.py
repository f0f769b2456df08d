"""What variety costs: hit rates against how varied and how calibrated the lists are.

    PROFILESTREAM_DATA=… python -m benchmarks.variety [--sets A B …] [--validation] [--share 0.25] [--out FILE]

Each pair of the settings `diversity` and `calibration` on the same candidates in one prequential run (see
`agents.evaluation.prequential`), with lists of ten: the first 80 % of the events train. With --validation 64 % train
and what lies between 64 % and 80 % is asked about: what defaults are chosen on. Without options the figures are written
to `results/variety.json`. --share asks about fewer users, for haste.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.commands.evaluate import figures
from agents.evaluation.datasets import load
from agents.evaluation.prequential import Prequential
from agents.settings import Settings, read_settings
from benchmarks.harness import machine

SETS = ("ml-100k", "amazon_giftcards")
DIVERSITY = (0.0, 0.05, 0.1, 0.2, 0.4)
CALIBRATION = (0.0, 0.2, 0.5)
K, TRAIN = 10, 0.8
RESULTS = Path(__file__).parent / "results" / "variety.json"
KEPT = ("coverage", "gini", "intra_list_distance", "miscalibration_nats")


def run(name: str, settings: Settings, validation: bool, share: float) -> list[dict[str, Any]]:
    """The figures of one data set, a row for each pair of settings; all lists are made of the same candidates."""
    pairs = [{"diversity": one, "calibration": other} for other in CALIBRATION for one in DIVERSITY]
    first, *others = [settings.model_copy(update=dict(pair)) for pair in pairs]
    played = Prequential(load(name), first, K, TRAIN if validation else 1.0, others, share=share)
    rows = []
    for pair, report in zip(pairs, (played.run(TRAIN, lambda _: None), *played.others), strict=True):
        told = figures(name, report, K)
        rate = told["methods"]["profilestream"]["HR@10"]
        rows.append({**pair, "compared": told["compared"], "HR@10": rate, **{key: told[key] for key in KEPT}})
    return rows


def show(name: str, rows: list[dict[str, Any]]) -> None:
    """One row for each pair of settings."""
    table = Table("diversity", "calibration", "HR@10", "distance", "KL", "coverage", "Gini", title=name)
    for row in rows:
        rate, error = row["HR@10"]
        table.add_row(
            f"{row['diversity']:g}",
            f"{row['calibration']:g}",
            f"{rate:.3f} ± {error:.3f}",
            f"{row['intra_list_distance']:.3f}",
            f"{row['miscalibration_nats']:.2f}",
            f"{row['coverage']:.3f}",
            f"{row['gini']:.3f}",
        )
    Console().print(table)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--validation", action="store_true", help="the events between 64 and 80 %%")
    parser.add_argument("--share", type=float, default=1.0, help="of the users, drawn, who are asked about")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    settings, results = read_settings(), dict[str, list[dict[str, Any]]]()
    for name in arguments.sets:
        results[name] = run(name, settings, arguments.validation, arguments.share)
        show(name, results[name])
    whole = tuple(arguments.sets) == SETS and not arguments.validation
    if out := arguments.out or (RESULTS if whole else None):
        found = {
            "sets": results,
            "events": "validation" if arguments.validation else "test",
            "share": arguments.share,
            "machine": machine(),
        }
        out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
