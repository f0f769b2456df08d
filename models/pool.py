"""The candidates of one list that may be in it: of the sources, the nearest by content, pinned and named ones."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.history import END
from models.item_index import Floats, ItemIndex, Places
from models.ranking import nearest
from models.rules.guard import Limits, allowed_items, kept
from models.rules.item_rules import ItemRules

CONTENT = "content"
RULE, REQUEST, EXPLORE = "rule", "request", "explore"
"""Sources of items that no other proposed: a rule pins them, a request names the only items that may be, or they are
new and shown to find out how good they are."""
NAMED = frozenset({RULE, REQUEST, EXPLORE})
"""They say nothing about the item."""


@dataclass(frozen=True)
class ListInput:
    """What is known about one user when the list is made."""

    k: int
    items: list[str]
    sources: list[str]
    scores: Floats
    """[len(sources), len(items)]"""
    because: NDArray[np.integer]
    """[len(items)], places in `recent`, −1: none"""
    recent: list[str]
    """Newest first."""
    out: frozenset[str]
    """Items that may not be in the list."""
    history_length: int = 0
    context_item: str = ""
    """The item on the page: counts as the newest."""
    query: Floats | None = None
    """Unit vector [d] of the words searched for."""
    search: str = ""
    """These words."""
    due: float = np.inf
    """When it is of no use any more: those that are due first are read first."""
    after_pause: bool = False
    """The user was away for long before asking."""
    categories: list[str] = field(default_factory=list)
    """The only categories that may be; empty: all."""
    exclude_categories: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    """The only items that may be; empty: all."""
    history: str = END
    """`History.joined`: items that may not be in the list either. None of `items` is one of them."""


@dataclass
class Pool:
    """The candidates of one list that may be in it."""

    ids: list[str]
    places: NDArray[np.int64]
    scores: Floats
    because: NDArray[np.integer]


def limits_of(one: ListInput, index: ItemIndex) -> Limits:
    """What the list may hold, in the numbers of the index."""
    return Limits(
        one.out,
        index.category_numbers(one.categories) if one.categories else None,
        index.category_numbers(one.exclude_categories) if one.exclude_categories else None,
        frozenset(one.only) if one.only else None,
        one.history,
    )


def make_pool(
    one: ListInput,
    index: ItemIndex,
    most_content: int,
    cosines: Floats | None,
    limits: Limits,
    rules: ItemRules | None,
) -> tuple[Pool, list[str]]:
    """Candidates that pass the rules, and their sources; with `cosines` [N] the content score is the last of these."""
    places = index.places(one.items)
    no_catalogue = not len(index) and not (one.categories or one.only)
    keep = kept(one.items, places, index, limits, rules, unknown_allowed=no_catalogue, proposed=True)
    if len(keep) == len(one.items):
        pool = Pool(list(one.items), places, one.scores, one.because)
    else:
        pool = Pool([one.items[place] for place in keep.tolist()], places[keep], one.scores[:, keep], one.because[keep])
    named = _allowed(one.only, index, limits, rules) if one.only else []
    sources = with_named(pool, one.sources, named, index, REQUEST)
    if cosines is None:
        return pool, sources
    every = allowed_items(index, limits, rules) & index.embedded
    every[pool.places[pool.places >= 0]] = False
    new = nearest(cosines, every, most_content)
    _append(pool, [index.ids[place] for place in new.tolist()], new)
    score = np.where(pool.places >= 0, cosines[pool.places], np.float32(0))
    pool.scores = np.vstack([pool.scores, score])
    return pool, [*sources, CONTENT]


def _append(pool: Pool, ids: list[str], places: Places) -> None:
    """Items that no source has proposed so far."""
    pool.ids += ids
    pool.places = np.concatenate([pool.places, places])
    pool.because = np.concatenate([pool.because, np.full(len(ids), -1)])
    pool.scores = np.hstack([pool.scores, np.zeros((len(pool.scores), len(ids)), np.float32)])


def _allowed(ids: list[str], index: ItemIndex, limits: Limits, rules: ItemRules | None) -> list[str]:
    """Those of the catalogue that the list may hold, each once, in their order."""
    return [ids[place] for place in kept(ids, index.places(ids), index, limits, rules).tolist()]


def allowed_pins(one: ListInput, index: ItemIndex, limits: Limits, rules: ItemRules | None) -> list[tuple[int, str]]:
    """(position, item) of the pinned items that the list may hold, each item once, at most one for each place."""
    if rules is None or not rules.pins:
        return []
    wanted: dict[str, int] = {}
    for position, item in rules.pins:
        if position < one.k:
            wanted.setdefault(item, position)
    return [(wanted[item], item) for item in _allowed(list(wanted), index, limits, rules)][: one.k]


def with_named(pool: Pool, sources: list[str], ids: list[str], index: ItemIndex, source: str) -> list[str]:
    """Put those of `ids` that are not in the pool into it, as proposed by `source` alone; the sources after that."""
    there = set(pool.ids) if ids else set()
    if not (new := [item for item in ids if item not in there]):
        return sources
    _append(pool, new, index.places(new))
    row = np.zeros(len(pool.ids), np.float32)
    row[-len(new) :] = 1
    pool.scores = np.vstack([pool.scores, row])
    return [*sources, source]
