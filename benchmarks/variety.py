"""What variety costs: hit rates against how varied and how calibrated the lists are.

    PROFILESTREAM_DATA=… python -m benchmarks.variety [--sets A B …] [--validation] [--out FILE]

Each pair of the settings `diversity` and `calibration` on the same candidates in one prequential run (see
`agents.evaluation.prequential`), with lists of ten: the first 80 % of the events train. With --validation 64 % train
and what lies between 64 % and 80 % is asked about: what defaults are chosen on. Without options the figures are written
to `results/variety.json`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.evaluation.datasets import load
from agents.evaluation.figures import figures
from agents.evaluation.prequential import Prequential
from agents.settings import Settings, read_settings
from benchmarks.harness import machine

SETS = ("ml-100k", "amazon_giftcards")
DIVERSITY = (0.0, 0.05, 0.1, 0.2, 0.4)
CALIBRATION = (0.0, 0.2, 0.5)
K, TRAIN = 10, 0.8
RESULTS = Path(__file__).parent / "results" / "variety.json"
KEPT = {"coverage": "coverage", "gini": "gini", "diversity": "distance", "miscalibration": "miscalibration"}
"""Of the spread of lists → its name in a row, where `diversity` is the setting."""
Row = dict[str, Any]


def run(name: str, settings: Settings, validation: bool) -> list[Row]:
    """The figures of one data set, a row for each pair of settings; all lists are made of the same candidates."""
    pairs = [{"diversity": one, "calibration": other} for other in CALIBRATION for one in DIVERSITY]
    scorers = {str(pair): settings.model_copy(update=dict(pair)) for pair in pairs}
    played = Prequential(load(name), settings, K, TRAIN if validation else 1.0, scorers=scorers)
    told = figures(name, played.run(TRAIN, lambda _: None), K)
    return [
        {
            **pair,
            "compared": told["compared"],
            "HR@10": told["methods"][str(pair)]["HR@10"],
            **{name: told["spread"][str(pair)].get(key) for key, name in KEPT.items()},
        }
        for pair in pairs
    ]


def show(name: str, rows: list[Row]) -> None:
    """One row for each pair of settings."""
    table = Table("diversity", "calibration", "HR@10", "distance", "KL", "coverage", "Gini", title=name)
    for row in rows:
        (rate, error), distance, miscalibration = row["HR@10"], row["distance"], row["miscalibration"]
        table.add_row(
            f"{row['diversity']:g}",
            f"{row['calibration']:g}",
            f"{rate:.3f} ± {error:.3f}",
            f"{distance[0]:.3f}" if distance else "–",
            f"{miscalibration[0]:.2f}" if miscalibration else "–",
            f"{row['coverage']:.3f}",
            f"{row['gini']:.3f}",
        )
    Console().print(table)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--validation", action="store_true", help="the events between 64 and 80 %%")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    settings, results = read_settings(), dict[str, list[Row]]()
    for name in arguments.sets:
        results[name] = run(name, settings, arguments.validation)
        show(name, results[name])
    whole = tuple(arguments.sets) == SETS and not arguments.validation
    if out := arguments.out or (RESULTS if whole else None):
        found = {
            "sets": results,
            "events": "validation" if arguments.validation else "test",
            "machine": machine(),
        }
        out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
