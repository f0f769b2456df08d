"""What may be in a list at all: the last guard before it goes out.

Candidates come filtered, but from views of catalogue and rules that may be some moments older than the scorer's, and
content candidates and pinned items come from the scorer itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.history import END, ids_of
from models.item_index import ItemIndex, Places
from models.rules.item_rules import ItemRules

Bools = NDArray[np.bool_]
Ints = NDArray[np.integer]


@dataclass(frozen=True)
class Limits:
    """What one list may hold; categories by their numbers in the index."""

    excluded: frozenset[str]
    """Items that may not be: those that the request excludes, disliked ones, that on the page."""
    wanted: Ints | None = None
    """The only categories that may be; None: all. −1: one that no item has."""
    unwanted: Ints | None = None
    """Categories that may not be."""
    only: frozenset[str] | None = None
    """The only items that may be; None: all."""
    history: str = END
    """`History.joined` of the user, whose items may not be either."""

    @cached_property
    def out(self) -> frozenset[str]:
        """All items that may not be. A long history takes as long to cut as a list to make."""
        return self.excluded.union(ids_of(self.history))


def kept(
    ids: Sequence[str],
    places: Places,
    index: ItemIndex,
    limits: Limits,
    rules: ItemRules | None,
    *,
    unknown_allowed: bool = False,
    proposed: bool = False,
) -> NDArray[np.intp]:
    """Places in `ids` of the candidates that may be in the list, each id once, in their order.

    places: of each id in the index, −1 for what it does not hold; those stay only if `unknown_allowed`. `proposed`: no
    item of the history is among them. Costs nothing per item of the catalogue.
    """
    fine = np.full(len(ids), unknown_allowed)
    known = places >= 0
    if len(at := places[known]):
        allowed = index.available[at]
        if rules is not None:
            allowed = allowed & ~rules.blocked(at)
        fine[known] = _of_categories(allowed, index.categories[at] if _by_category(limits) else None, limits)
    found, out = set[str](), limits.excluded if proposed else limits.out
    if unknown_allowed and rules is not None:
        out = out | rules.blocked_ids
    if limits.only is None and out.isdisjoint(ids) and len(set(ids)) == len(ids):
        return np.flatnonzero(fine)
    for place, item in enumerate(ids):
        if item in out or item in found or (limits.only is not None and item not in limits.only):
            fine[place] = False
        found.add(item)
    return np.flatnonzero(fine)


def allowed_items(index: ItemIndex, limits: Limits, rules: ItemRules | None) -> Bools:
    """Which of the N items of the catalogue a list may hold, [N]."""
    allowed = index.available.copy() if limits.only is None else np.zeros(len(index), np.bool_)
    if limits.only is not None:
        only = _known(index, limits.only)
        allowed[only] = index.available[only]
    allowed[_known(index, limits.out)] = False
    if rules is not None:
        allowed &= ~rules.all_blocked
    return _of_categories(allowed, index.categories if _by_category(limits) else None, limits)


def allowed_among(places: Places, index: ItemIndex, limits: Limits, rules: ItemRules | None) -> Bools:
    """Which of these places of the index a list may hold, [len(places)]. Costs nothing for other items."""
    allowed = index.available[places] & ~np.isin(places, index.places(limits.out))
    if limits.only is not None:
        allowed &= np.isin(places, index.places(limits.only))
    if rules is not None:
        allowed &= ~rules.blocked(places)
    return _of_categories(allowed, index.categories[places] if _by_category(limits) else None, limits)


def _known(index: ItemIndex, ids: frozenset[str]) -> Places:
    places = index.places(ids)
    return places[places >= 0]


def _by_category(limits: Limits) -> bool:
    return limits.wanted is not None or limits.unwanted is not None


def _of_categories(allowed: Bools, categories: Ints | None, limits: Limits) -> Bools:
    """`allowed` [m] without what the categories [m, w] forbid."""
    if categories is None:
        return allowed
    if limits.wanted is not None:
        allowed = allowed & np.isin(categories, limits.wanted[limits.wanted >= 0]).any(axis=1)
    if limits.unwanted is not None:
        allowed = allowed & ~np.isin(categories, limits.unwanted[limits.unwanted >= 0]).any(axis=1)
    return allowed
