"""What a list costs, and that it does not grow with the catalogue.

    python -m benchmarks.lists [--items 10000 100000 1000000] [--out FILE]

Users with 100 items of history, drawn by popularity (Zipf), and K = 100 neighbours an item, of which R = 50 with ridge
weights, 1 to 3 of 50 categories an item; batches of 256 users on one core, CPU time, the best of some rounds. Two
parts: *candidates* (sums over neighbours, ridge scores, popular items: `models.candidates`, profiles worker) and
*ranking* (guard, blend, variety, shares: `models.ranked_list`, scorer, without BERT). Written to `results/lists.json`.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.scoring.lists import rank_config
from agents.settings import read_settings
from benchmarks.harness import machine
from models.candidates import SOURCES, CandidateConfig, CandidateSelector, Selected, Wanted
from models.catalogue import Catalogue
from models.interning import Interner
from models.item_index import ItemIndex
from models.neighbour_table import NeighbourTable
from models.pool import ListInput
from models.popular import PopularLists
from models.ranked_list import rank_lists

SEED, ZIPF = 7, 0.7
HISTORY, NEIGHBOURS, RIDGE, K = 100, 100, 50, 10
CATEGORIES = 50
BATCH, ROUNDS = 256, 7
ITEMS = (10_000, 100_000, 1_000_000)
RESULTS = Path(__file__).parent / "results" / "lists.json"
Floats = NDArray[np.float64]


def draw(chance: Floats, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.int64]:
    """Item numbers with these cumulative chances."""
    numbers = np.searchsorted(chance, random.random(shape) * chance[-1])
    return np.minimum(numbers, len(chance) - 1)


def neighbours(count: int, chance: Floats, random: np.random.Generator) -> NeighbourTable:
    """A full table with made-up weights."""
    table = NeighbourTable(Interner([f"i{number}" for number in range(count)]), NEIGHBOURS, RIDGE)
    table.grow()
    table.cols[:count] = draw(chance, (count, NEIGHBOURS), random)
    table.weights[:count] = np.sort(random.random((count, NEIGHBOURS), np.float32), 1)[:, ::-1]
    table.ridge[:count] = random.random((count, RIDGE), np.float32) / RIDGE
    table.popularity[:count] = np.diff(chance, prepend=0.0)
    return table


def users(chance: Floats, random: np.random.Generator) -> list[Wanted]:
    """Histories of distinct items, none of which may be proposed."""
    wanted = []
    for _ in range(BATCH):
        recent = draw(chance, (3 * HISTORY,), random)
        recent = recent[np.sort(np.unique(recent, return_index=True)[1])][:HISTORY]
        wanted.append(Wanted(recent, np.arange(len(recent))[::-1], recent))
    return wanted


def list_input(user: Wanted, chosen: Selected, ids: list[str]) -> ListInput:
    """What the scorer gets: strings that came in a message, not those of its catalogue."""
    recent = _sent([ids[number] for number in user.recent.tolist()])
    items = _sent([ids[number] for number in chosen.items.tolist()])
    return ListInput(
        K, items, list(SOURCES), chosen.scores, chosen.because, recent, frozenset(recent), history_length=len(recent)
    )


def _sent(ids: list[str]) -> list[str]:
    return msgspec.json.decode(msgspec.json.encode(ids), type=list[str])


def best_us(work: Callable[[], object]) -> float:
    """CPU microseconds for one user of a batch, the best round."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        rounds.append(time.process_time() - began)
    return round(min(rounds) / BATCH * 1e6, 1)


def run(count: int) -> dict[str, float]:
    """The costs with so many items."""
    random = np.random.default_rng(SEED)
    chance = np.cumsum((1.0 + np.arange(count)) ** -ZIPF)
    table = neighbours(count, chance, random)
    popular = PopularLists(table, Catalogue(table.items), 7_500.0)
    selector, wanted = CandidateSelector(table, popular, CandidateConfig()), users(chance, random)
    candidates_us = best_us(lambda: selector.select(wanted))
    index = ItemIndex()
    for number, item in enumerate(table.items.ids):
        index.put(item, "", tuple(f"c{(number + step) % CATEGORIES}" for step in range(1 + number % 3)), True, "")
    inputs = [
        list_input(user, chosen, table.items.ids) for user, chosen in zip(wanted, selector.select(wanted), strict=True)
    ]
    config = rank_config(read_settings())
    ranking_us = best_us(lambda: rank_lists(inputs, index, config, content=False))
    whole_us = round(candidates_us + ranking_us, 1)
    return {"items": count, "candidates_us": candidates_us, "ranking_us": ranking_us, "list_us": whole_us}


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=ITEMS)
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    rows, table = [], Table("items", "candidates, µs a list", "ranking, µs a list", "both")
    for count in arguments.items:
        rows.append(run(count))
        table.add_row(f"{count:,}", *(str(rows[-1][part]) for part in ("candidates_us", "ranking_us", "list_us")))
    Console().print(table)
    if out := arguments.out or (RESULTS if tuple(arguments.items) == ITEMS else None):
        out.write_text(json.dumps({"lists": rows, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
