"""What may be in a list at all: the last guard before it goes out.

Candidates come filtered, but from views of catalogue and rules that may be some moments older than the scorer's, and
content candidates and pinned items come from the scorer itself.
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.item_index import ItemIndex, Places
from models.rules.item_rules import ItemRules

Bools = NDArray[np.bool_]
Ints = NDArray[np.integer]


@dataclass(frozen=True)
class Limits:
    """What one list may hold, in places and category numbers of the index."""

    out: Places
    """Places of items that were seen, excluded or are on the page right now."""
    wanted: Ints | None = None
    """The only categories that may be; None: all. −1: one that no item has."""
    unwanted: Ints | None = None
    """Categories that may not be."""
    only: Places | None = None
    """The only places that may be; None: all."""


def allowed_places(places: Places, index: ItemIndex, limits: Limits, rules: ItemRules | None) -> Bools:
    """Which of these m places (≥ 0) a list may hold, [m]: costs nothing per item of the catalogue."""
    allowed: Bools = index.available[places] & ~np.isin(places, limits.out)
    if limits.only is not None:
        allowed &= np.isin(places, limits.only)
    if rules is not None:
        allowed &= ~rules.blocked(places)
    return _of_categories(allowed, index.categories[places] if _by_category(limits) else None, limits)


def allowed_items(index: ItemIndex, limits: Limits, rules: ItemRules | None) -> Bools:
    """The same for all N items of the catalogue, [N]."""
    allowed = index.available.copy()
    allowed[limits.out] = False
    if limits.only is not None:
        only = np.zeros(len(allowed), np.bool_)
        only[limits.only] = True
        allowed &= only
    if rules is not None:
        allowed &= ~rules.all_blocked
    return _of_categories(allowed, index.categories if _by_category(limits) else None, limits)


def _by_category(limits: Limits) -> bool:
    return limits.wanted is not None or limits.unwanted is not None


def _of_categories(allowed: Bools, categories: Ints | None, limits: Limits) -> Bools:
    """`allowed` [m] without what the categories [m, w] forbid."""
    if categories is None:
        return allowed
    if limits.wanted is not None:
        allowed &= np.isin(categories, limits.wanted[limits.wanted >= 0]).any(axis=1)
    if limits.unwanted is not None:
        allowed &= ~np.isin(categories, limits.unwanted[limits.unwanted >= 0]).any(axis=1)
    return allowed


def kept(ids: list[str], places: Places, allowed: Bools, out: Set[str], unknown_allowed: bool) -> NDArray[np.intp]:
    """Places in `ids` of the candidates that may be in the list, each id once, in their order.

    places: catalogue place of each id, −1 for what the catalogue does not hold; those stay only if `unknown_allowed`
    and not in `out`. allowed: of each id with a place, in their order, whether it may be in the list.
    """
    fine = np.full(len(ids), unknown_allowed)
    known = places >= 0
    fine[known] = allowed
    if unknown_allowed:
        fine[[place for place in np.flatnonzero(~known).tolist() if ids[place] in out]] = False
    if len(set(ids)) < len(ids):
        first = {name: place for place, name in reversed(list(enumerate(ids)))}
        fine &= np.array([first[name] == place for place, name in enumerate(ids)])
    return np.flatnonzero(fine)
