"""Which of a list's candidates are picked: variety, calibration and caps over the catalogue's categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import history_shares
from models.diversity import (
    Calibration,
    Caps,
    Floats,
    category_hot,
    category_vectors,
    diversify,
    relevances,
    shortlisted,
)
from models.item_index import ItemIndex, Places
from models.rules.item_rules import ItemRules


def rows_of(table: NDArray[np.generic], places: Places, empty: int) -> NDArray[Any]:
    """Rows of an array of the index, [*places.shape, w]; `empty` for what it does not hold (−1)."""
    if not len(table):
        return np.full((*places.shape, table.shape[1]), empty, table.dtype)
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
    if not cap and (rules is None or not len(rules.most)):
        return None
    every = np.concatenate([places, fixed])
    parts, most = [], []
    if cap:
        parts.append(category_hot(rows_of(index.categories, every[None], -1))[0])
        most.append(np.full(parts[0].shape[1], cap))
    if rules is not None and len(rules.most):
        parts.append(rules.grouped(every))
        most.append(rules.most)
    hot = np.concatenate(parts, axis=1)
    return Caps(hot[: len(places)], np.concatenate(most), hot[len(places) :].sum(axis=0))


@dataclass(frozen=True)
class Variety:
    """What the lists of one configuration are to be like, next to good."""

    diversity: float
    """λ of `models.diversity`"""
    calibration: float
    """κ"""
    by_vectors: bool
    """Likeness by embeddings, else by categories"""


def vary(
    totals: Floats,
    places: Places,
    index: ItemIndex,
    k: int,
    variety: Variety,
    recents: Sequence[Sequence[str]],
    caps: Sequence[Caps | None],
) -> NDArray[np.intp]:
    """Which candidates of B lists are picked, in the order of each list, filled up with −1: [B, k].

    totals: [B, n] ≥ 0, −∞ for what may not be picked; places: [B, n] in the index, −1: not there; recents: each
    user's newest items, newest first; caps: of each list.
    """
    order = np.argsort(-totals, axis=1, kind="stable")
    relevance = relevances(np.take_along_axis(totals, order, axis=1))
    diversity, mixed = variety.diversity, variety.calibration > 0
    capped = any(one is not None for one in caps)
    count = order.shape[1] if capped or mixed else shortlisted(relevance, k, diversity)
    order, relevance = order[:, :count], relevance[:, :count]
    at = np.take_along_axis(places, order, axis=1)
    targets = [_target(index, recent, row, variety.calibration) for recent, row in zip(recents, at, strict=True)]
    picked = diversify(
        relevance,
        k,
        diversity,
        _vectors(index, at, variety) if diversity > 0 else None,
        [_in_order(one, row) for one, row in zip(caps, order, strict=True)] if capped else (),
        targets if mixed else (),
    )
    return np.where(picked >= 0, np.take_along_axis(order, np.maximum(picked, 0), axis=1), -1)


def _vectors(index: ItemIndex, at: Places, variety: Variety) -> Floats | None:
    """What tells how alike the candidates are, [B, n, d]; None: all are unlike."""
    if variety.by_vectors:
        return rows_of(index.vectors, at, 0)
    if not len(index):  # without a catalogue nothing has a category
        return None
    vectors = category_vectors(category_hot(rows_of(index.categories, at, -1)))
    return vectors if vectors.shape[2] else None


def _target(index: ItemIndex, recent: Sequence[str], at: Places, weight: float) -> Calibration | None:
    wanted = history_shares(groups_of(index, index.places(recent))) if weight > 0 else None
    return None if wanted is None else Calibration(wanted, groups_of(index, at), weight)


def _in_order(caps: Caps | None, order: NDArray[np.intp]) -> Caps | None:
    return None if caps is None else Caps(caps.hot[order], caps.most, caps.taken)
