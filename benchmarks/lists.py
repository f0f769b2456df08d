"""What a list costs, and that it does not grow with the catalogue.

    python -m benchmarks.lists [--items 10000 100000 1000000] [--out FILE]

Users with 100 items of history, drawn by popularity (Zipf), and K = 100 neighbours an item, of which R = 50 with ridge
weights, 1 to 3 of 50 categories an item; batches of 256 users on one core, CPU time, the best of some rounds, in which
the sizes take turns. Two parts: *candidates* (sums over neighbours, ridge scores, popular items: `models.candidates`,
profiles worker) and *ranking* (guard, blend, variety, shares: `models.ranked_list`, scorer, without BERT). Written to
`results/lists.json`.
"""

import argparse
import json
import time
from collections.abc import Sequence
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
BATCH, ROUNDS = 256, 60
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


class Sized:
    """A catalogue of one size, and what is done with it."""

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(SEED)
        chance = np.cumsum((1.0 + np.arange(count)) ** -ZIPF)
        table = neighbours(count, chance, random)
        popular = PopularLists(table, Catalogue(table.items), 7_500.0)
        self._selector, self._wanted = CandidateSelector(table, popular, CandidateConfig()), users(chance, random)
        self._index = ItemIndex()
        for number, item in enumerate(table.items.ids):
            categories = tuple(f"c{(number + step) % CATEGORIES}" for step in range(1 + number % 3))
            self._index.put(item, "", categories, True, "")
        chosen = self._selector.select(self._wanted)
        self._inputs = [list_input(*pair, table.items.ids) for pair in zip(self._wanted, chosen, strict=True)]
        self._config = rank_config(read_settings())

    def select(self) -> None:
        """Candidates of a batch."""
        self._selector.select(self._wanted)

    def rank(self) -> None:
        """Lists of a batch, of candidates that are there."""
        rank_lists(self._inputs, self._index, self._config, content=False)


def run(sizes: Sequence[int]) -> list[dict[str, float]]:
    """The costs at each size. They take turns: the speed of a machine that is shared changes by the second."""
    made = {count: Sized(count) for count in sizes}
    rounds: dict[tuple[int, str], list[float]] = {}
    for _ in range(ROUNDS):
        for count, one in made.items():
            for part, work in (("candidates_us", one.select), ("ranking_us", one.rank)):
                began = time.process_time()
                work()
                rounds.setdefault((count, part), []).append(time.process_time() - began)
    best = {key: round(min(seconds) / BATCH * 1e6, 1) for key, seconds in rounds.items()}
    return [
        {
            "items": count,
            "candidates_us": best[count, "candidates_us"],
            "ranking_us": best[count, "ranking_us"],
            "list_us": round(best[count, "candidates_us"] + best[count, "ranking_us"], 1),
        }
        for count in sizes
    ]


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=ITEMS)
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    rows, table = run(arguments.items), Table("items", "candidates, µs a list", "ranking, µs a list", "both")
    for row in rows:
        table.add_row(f"{row['items']:,}", *(str(row[part]) for part in ("candidates_us", "ranking_us", "list_us")))
    Console().print(table)
    if out := arguments.out or (RESULTS if tuple(arguments.items) == ITEMS else None):
        out.write_text(json.dumps({"lists": rows, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
