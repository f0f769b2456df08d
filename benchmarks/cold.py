"""Cold starts: lists with items that nobody had to do with yet, and lists of new users.

    PROFILESTREAM_DATA=… python -m benchmarks.cold [--sets A B …] [--seeds 5] [--validation] [--out FILE]

Items: a fifth of the items, drawn with each seed, is withheld (see `agents.evaluation.cold_items`), once with texts
(the bundled BERT model) and once without; the last fifth of the events is asked about. With each number of places for
new items in ten, on the same candidates: hit rates on withheld items, and on the others, what exploring costs.
Users: how many events a new user of ml-100k needs until the lists beat popularity (see `models.first_lead`).
With --validation 64 % train and what lies between 64 % and 80 % is asked about: what constants are chosen on.
Without options the figures are written to `results/cold.json`.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.evaluation.cold_figures import cold_figures
from agents.evaluation.cold_items import NEW_ONLY, ONE_PLACE, ColdItems, ColdReport
from agents.evaluation.datasets import load
from agents.evaluation.figures import figures
from agents.evaluation.prequential import Prequential
from agents.evaluation.report import OURS, POPULAR
from agents.settings import Settings, read_settings
from benchmarks.harness import machine

SETS = ("amazon_office", "amazon_giftcards")
USERS = "ml-100k"
SHARE, SEEDS, K, TRAIN = 0.2, 5, 20, 0.8
TWO_PLACES = "two places in ten new"
METHODS = (OURS, ONE_PLACE, TWO_PLACES, NEW_ONLY, POPULAR, "fresh")
MODELS = {"texts": "bundled", "no texts": ""}
WANTED_RATIO, WANTED_EVENTS = 5.0, 2
"""What is to be reached: hits on withheld items to those of a random order of the new items; median events."""
RESULTS = Path(__file__).parent / "results" / "cold.json"


def cold_items(name: str, settings: Settings, seeds: int, until: float) -> dict[str, Any]:
    """The figures of one data set, of all seeds together."""
    dataset, report = load(name), ColdReport()
    two = {TWO_PLACES: settings.model_copy(update={"explore_slots": 2})}
    for seed in range(1, seeds + 1):
        ColdItems(dataset, settings, K, SHARE, seed, until, two).run(TRAIN, report, lambda _: None)
    return cold_figures(name, report, K, SHARE, seeds)


def new_users(settings: Settings, until: float) -> dict[str, Any]:
    """Hit rates by the length of a short history, and how many events a new user needs."""
    told = figures(USERS, Prequential(load(USERS), settings, K, until).run(TRAIN, lambda _: None), K)
    return {"data": USERS, "k": K, "cold_users": told["cold_users"], **told["first_items"]}


def show(results: dict[str, dict[str, Any]], users: dict[str, Any] | None) -> None:
    """One row for each way to make lists."""
    for name, by_model in results.items():
        table = Table("lists", "texts", "HR@10", "HR@20", "× fresh", "others HR@10", "others HR@20", title=name)
        for model, told in by_model.items():
            for method in METHODS:
                rates = [told[part][method][cut] for part in ("cold", "known") for cut in ("HR@10", "HR@20")]
                texts = [f"{value:.3f} ± {error:.3f}" for value, error in rates]
                ratio = told["HR@10_to_fresh"].get(method)
                table.add_row(method, model, *texts[:2], "" if ratio is None else f"{ratio:.1f}", *texts[2:])
        Console().print(table)
    if users is not None:
        new = users["new_users"]
        print(f"{USERS}: {new['users']} new users need {new['median_events']} events (median); {new['ahead_within']}")


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=(*SETS, USERS), default=(*SETS, USERS))
    parser.add_argument("--seeds", type=int, default=SEEDS, help="(default: %(default)s)")
    parser.add_argument("--validation", action="store_true", help="the events between 64 and 80 %%")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    settings, began, until = read_settings(), time.perf_counter(), TRAIN if arguments.validation else 1.0
    results: dict[str, dict[str, Any]] = {}
    for name in (name for name in SETS if name in arguments.sets):
        results[name] = {
            words: cold_items(name, settings.model_copy(update={"bert_model": model}), arguments.seeds, until)
            for words, model in MODELS.items()
        }
        print(name, json.dumps(results[name]), flush=True)
    users = new_users(settings, until) if USERS in arguments.sets else None
    show(results, users)
    whole = set(arguments.sets) == {*SETS, USERS} and arguments.seeds == SEEDS and not arguments.validation
    if out := arguments.out or (RESULTS if whole else None):
        found = {
            "events": "validation" if arguments.validation else "test",
            "items": results,
            "users": users,
            "wanted": {"HR@10_to_fresh": WANTED_RATIO, "median_events": WANTED_EVENTS},
            "seconds": round(time.perf_counter() - began),
            "machine": machine(),
        }
        out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
