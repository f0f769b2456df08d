"""Which of a list's candidates are picked: variety, calibration and caps over the catalogue's categories."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import history_shares
from models.diversity import Calibration, Caps, Floats, category_hot, category_vectors, diversify, shortlist
from models.item_index import ItemIndex, Places
from models.rules.item_rules import ItemRules


def rows_of(table: NDArray[np.generic], places: Places, empty: int) -> NDArray[Any]:
    """Rows of an array of the index, `empty` for what it does not hold (−1)."""
    if not len(table):
        return np.full((len(places), table.shape[1]), empty, table.dtype)
    rows = table[places]
    rows[places < 0] = empty
    return rows


def groups_of(index: ItemIndex, places: Places) -> NDArray[np.int32]:
    """What calibration looks at: numbers of an item's categories, of its tags where it has none, filled up with −1."""
    categories, tags = rows_of(index.categories, places, -1), rows_of(index.tags, places, -1)
    bare = (categories < 0).all(axis=1)
    if not bare.any():
        return categories
    width = max(categories.shape[1], tags.shape[1])
    groups = np.full((len(places), width), -1, np.int32)
    groups[~bare, : categories.shape[1]] = categories[~bare]
    groups[bare, : tags.shape[1]] = tags[bare]
    return groups


def make_caps(index: ItemIndex, places: Places, fixed: Places, cap: int, rules: ItemRules | None) -> Caps | None:
    """At most `cap` items of each category (0: any number) and what the rules say, for candidates at `places`.

    fixed: places of the items that are in the list already; they count, and may exceed a cap. None: there is no cap.
    """
    every = np.concatenate([places, fixed])
    parts, most = [], []
    if cap:
        parts.append(category_hot(rows_of(index.categories, every, -1)))
        most.append(np.full(parts[0].shape[1], cap))
    if rules is not None and len(rules.most):
        parts.append(rules.grouped(every))
        most.append(rules.most)
    if not parts:
        return None
    hot = np.concatenate(parts, axis=1)
    return Caps(hot[: len(places)], np.concatenate(most), hot[len(places) :].sum(axis=0))


def vary(
    total: Floats,
    places: Places,
    index: ItemIndex,
    k: int,
    *,
    diversity: float,
    calibration: float,
    by_vectors: bool,
    recent: Sequence[str],
    caps: Caps | None,
) -> NDArray[np.intp]:
    """Which candidates are picked, in the order of the list: at most k of n.

    total: [n] ≥ 0; places: [n] in the index, −1: not there; by_vectors: likeness by embeddings, else by categories;
    recent: the user's newest items, newest first.
    """
    if k <= 0:  # pins fill the list
        return np.zeros(0, np.intp)
    wanted = history_shares(groups_of(index, index.places(recent))) if calibration > 0 else None
    whole = caps is not None or wanted is not None
    near = np.arange(len(places)) if whole else shortlist(total, k, diversity)
    at = places[near]
    vectors = None
    if diversity > 0 and by_vectors:
        vectors = rows_of(index.vectors, at, 0)
    elif diversity > 0:
        vectors = category_vectors(category_hot(rows_of(index.categories, at, -1)))
    target = Calibration(wanted, groups_of(index, at), calibration) if wanted is not None else None
    return near[diversify(total[near], vectors, k, diversity, caps, target)]
