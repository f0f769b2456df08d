"""Reasons are true by construction: of all items of the history, `because` speaks most for the item of the list.

On the real selector and the real ranker: where `because` is exchanged for an item that says nothing, the item's item-CF
score falls, by more than for any other item of the history, and its share of the list's score does not rise.
"""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.candidates import GROUNDED, SOURCES, CandidateConfig, CandidateSelector, Selected, Wanted
from models.catalogue import Catalogue
from models.interning import Interner
from models.item_index import ItemIndex
from models.neighbour_table import NeighbourTable
from models.popular import PopularLists
from models.ranked_list import ListInput, RankConfig, Ranked, rank_lists

ITEMS, NEIGHBOURS = 30, 6
SILENT = "silent"
"""An item without neighbours."""
CONFIG = RankConfig(weights={"item_cf": 1.0, "popular": 0.1}, diversity=0.1)


class World:
    """Random neighbours; one history."""

    def __init__(self, seed: int, length: int) -> None:
        rng = np.random.default_rng(seed)
        self.items, self.index = Interner([f"i{n}" for n in range(ITEMS)] + [SILENT]), ItemIndex()
        table = NeighbourTable(self.items, NEIGHBOURS)
        for number in range(ITEMS):
            near = rng.choice([n for n in range(ITEMS) if n != number], NEIGHBOURS, replace=False)
            weights = np.sort(rng.random(NEIGHBOURS))[::-1].astype(np.float32)
            table.update(f"i{number}", [f"i{n}" for n in near.tolist()], weights, float(rng.random()), 1.0, {})
            self.index.put(f"i{number}", "", [f"c{number % 4}"], True, "")
        popular = PopularLists(table, Catalogue(self.items), 100.0)
        self._selector = CandidateSelector(table, popular, CandidateConfig(item_cf=20, popular=5))
        self.recent = rng.choice(ITEMS, length, replace=False)

    def select(self, recent: np.ndarray) -> Selected:
        """Candidates of a user with this history; what is hidden is that of the real history."""
        return self._selector.select([Wanted(recent, np.arange(len(recent)), self.recent)])[0]

    def without(self, place: int) -> Selected:
        """Candidates where the item at this place of the history says nothing, and all others say what they said."""
        recent = self.recent.copy()
        recent[place] = self.items.number(SILENT)
        return self.select(recent)

    def ranked(self, selected: Selected) -> dict[str, Ranked]:
        """The list of these candidates, all of them."""
        ids = [self.items.ids[number] for number in selected.items.tolist()]
        recent = [self.items.ids[number] for number in self.recent.tolist()]
        hidden = frozenset(recent)
        one = ListInput(len(ids) or 1, ids, list(SOURCES), selected.scores, selected.because, recent, hidden)
        return {place.item_id: place for place in rank_lists([one], self.index, CONFIG, content=False)[0]}


def item_cf(selected: Selected, number: int) -> float:
    """The item-CF score of an item, 0 where it is no candidate."""
    return float(selected.scores[0, selected.items == number].sum())


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_because_adds_the_most(seed: int, length: int) -> None:
    world = World(seed, length)
    selected = world.select(world.recent)
    instead = [world.without(place) for place in range(length)]
    grounded = 0
    for name, place in world.ranked(selected).items():
        number = world.items.number(name)
        score = item_cf(selected, number)
        falls = [score - item_cf(other, number) for other in instead]
        if "item_cf" not in place.shares:  # what weighs nothing is not named, see `agents.scoring.lists`
            continue
        assert place.because >= 0
        grounded += 1
        assert falls[place.because] > 0
        assert falls[place.because] >= max(falls) - 1e-6
    assert grounded or not item_cf_candidates(selected)


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_without_because_the_share_does_not_rise(seed: int, length: int) -> None:
    world = World(seed, length)
    selected = world.select(world.recent)
    before = world.ranked(selected)
    best = float(selected.scores[0].max(initial=0.0))
    for name, place in before.items():
        if place.because < 0 or "item_cf" not in place.shares:
            continue
        number = world.items.number(name)
        # The same candidates, so that it is measured by the same others; this one has the score without `because`.
        scores = selected.scores.copy()
        scores[0, selected.items == number] = item_cf(world.without(place.because), number)
        after = world.ranked(replace(selected, scores=scores))[name]
        assert after.shares.get("item_cf", 0.0) <= place.shares["item_cf"]
        assert after.score < place.score or scores[0].max() < best, "the best of all is measured by itself"


def item_cf_candidates(selected: Selected) -> int:
    return int((selected.scores[0, :GROUNDED] > 0).sum())
