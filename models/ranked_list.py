"""One ranked list from candidates and the catalogue: rules → content → blend → variety → shares and features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.diversity import category_hot, category_vectors, diversify, shortlist
from models.item_index import ItemIndex
from models.ranking import BandWeights, Blend, blend, nearest, profile_embedding, shown_shares, source_weights
from models.rules import allowed_items, kept

Floats = NDArray[np.float32]

CONTENT = "content"
HISTORY_LENGTH = "history_length"
FEATURE_DIGITS = 5
CONTENT_ITEMS = 32
"""Newest items that make the profile embedding: all older ones together weigh less than 1 %."""
CELLS_AT_ONCE = 1 << 24
"""Cosines of lists × items in memory at a time (64 MB)."""


@dataclass(frozen=True)
class RankConfig:
    """Constants of ranking; see `agents.settings` for meanings."""

    weights: Mapping[str, float]
    candidates_content: int = 50
    diversity: float = 0.0
    category_cap: int = 0
    learned: BandWeights | None = None
    """Weights in place of `weights`."""

    def weights_of(self, history_length: int) -> Mapping[str, float]:
        """Source → weight, for a user with a history of this length."""
        return self.weights if self.learned is None else self.learned.of(history_length)


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
    categories: list[str] = field(default_factory=list)
    """The only categories that may be; empty: all."""


@dataclass(frozen=True)
class Ranked:
    """One place of a list."""

    item_id: str
    score: float
    shares: dict[str, float]
    lead: str
    """The source with the largest share."""
    features: dict[str, float]
    because: int
    """Place in `recent` of the item that spoke most for this one, −1: none."""
    categories: list[int]
    """Category numbers of the item."""
    searched: bool
    """The search speaks for the item more than the history does."""


@dataclass
class _Pool:
    """The candidates of one list that may be in it."""

    ids: list[str]
    places: NDArray[np.int64]
    scores: Floats
    because: NDArray[np.integer]


def rank_lists(inputs: Sequence[ListInput], index: ItemIndex, config: RankConfig, content: bool) -> list[list[Ranked]]:
    """The list of each input. `content`: use the embeddings of the index, as a source and for variety."""
    vectors = [_wanted(one, index) if content else None for one in inputs]
    at_once = max(1, CELLS_AT_ONCE // max(1, len(index)))
    lists: list[list[Ranked]] = []
    for start in range(0, len(inputs), at_once):
        part, wanted = inputs[start : start + at_once], vectors[start : start + at_once]
        rows = [vector for vector in wanted if vector is not None]
        cosines = iter(np.stack(rows) @ index.vectors.T if rows else ())
        lists += [
            _rank(one, index, config, content, next(cosines) if vector is not None else None)
            for one, vector in zip(part, wanted, strict=True)
        ]
    return lists


def _wanted(one: ListInput, index: ItemIndex) -> Floats | None:
    """The profile embedding, with what is on the page first."""
    newest = [one.context_item, *one.recent[:CONTENT_ITEMS]] if one.context_item else one.recent[:CONTENT_ITEMS]
    places = index.places(dict.fromkeys(newest))
    has_vector = np.flatnonzero(places >= 0)
    has_vector = has_vector[index.embedded[places[has_vector]]]
    return profile_embedding(index.vectors[places[has_vector]], has_vector, one.query)


def _rank(one: ListInput, index: ItemIndex, config: RankConfig, content: bool, cosines: Floats | None) -> list[Ranked]:
    pool, sources = _pool(one, index, config, cosines)
    if not pool.ids:
        return []
    blended = blend(pool.scores, source_weights(sources, config.weights_of(one.history_length)))
    cap, diversity = config.category_cap, config.diversity
    near = np.arange(len(pool.ids)) if cap else shortlist(blended.total, one.k, diversity)
    at = pool.places[near]
    hot = category_hot(_rows(index.categories, at, -1)) if cap or (diversity > 0 and not content) else None
    if diversity <= 0:
        vectors = None
    else:
        vectors = category_vectors(hot) if hot is not None and not content else _rows(index.vectors, at, 0)
    picked = near[diversify(blended.total[near], vectors, one.k, diversity, hot, cap)]
    return _ranked(one, index, pool, sources, blended, picked)


def _rows(table: NDArray[np.generic], places: NDArray[np.int64], empty: int) -> NDArray[Any]:
    """Rows of an array of the index, `empty` for what it does not hold (−1)."""
    if not len(table):
        return np.full((len(places), table.shape[1]), empty, table.dtype)
    rows = table[places]
    rows[places < 0] = empty
    return rows


def _pool(one: ListInput, index: ItemIndex, config: RankConfig, cosines: Floats | None) -> tuple[_Pool, list[str]]:
    """Candidates and content candidates that pass the rules, with the content score as the last source."""
    out_places = index.places(one.out)
    wanted = index.category_numbers(one.categories) if one.categories else None
    allowed = allowed_items(index.available, index.categories, wanted, out_places[out_places >= 0])
    places = index.places(one.items)
    keep = kept(one.items, places, allowed, one.out, unknown_allowed=not len(index) and wanted is None)
    pool = _Pool([one.items[place] for place in keep.tolist()], places[keep], one.scores[:, keep], one.because[keep])
    if cosines is None:
        return pool, one.sources
    allowed &= index.embedded
    allowed[pool.places[pool.places >= 0]] = False
    new = nearest(cosines, allowed, config.candidates_content)
    pool.ids += [index.ids[place] for place in new.tolist()]
    pool.places = np.concatenate([pool.places, new])
    pool.because = np.concatenate([pool.because, np.full(len(new), -1)])
    score = np.where(pool.places >= 0, cosines[pool.places], np.float32(0))
    silent = np.zeros((len(pool.scores), len(new)), np.float32)
    pool.scores = np.vstack([np.hstack([pool.scores, silent]), score])
    return pool, [*one.sources, CONTENT]


def _ranked(
    one: ListInput, index: ItemIndex, pool: _Pool, sources: list[str], blended: Blend, picked: NDArray[np.intp]
) -> list[Ranked]:
    normal = blended.normal[:, picked].T.astype(np.float64).round(FEATURE_DIGITS).tolist()
    shares = blended.shares[:, picked].T.tolist()
    length = {HISTORY_LENGTH: float(one.history_length)}
    ranked = []
    for row, place in enumerate(picked.tolist()):
        shown, lead = shown_shares(sources, shares[row])
        at = int(pool.places[place])
        ranked.append(
            Ranked(
                item_id=pool.ids[place],
                score=float(blended.total[place]),
                shares=shown,
                lead=lead,
                features=dict(zip(sources, normal[row], strict=True)) | length,
                because=int(pool.because[place]),
                categories=[number for number in index.categories[at].tolist() if number >= 0] if at >= 0 else [],
                searched=lead == CONTENT and _searched(one, index, at),
            )
        )
    return ranked


def _searched(one: ListInput, index: ItemIndex, at: int) -> bool:
    if one.query is None:
        return False
    history = _wanted(replace(one, query=None), index)
    item = index.vectors[at]
    return history is None or bool(one.query @ item >= history @ item)
