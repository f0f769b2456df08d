"""One ranked list from candidates and the catalogue: rules → content → blend → boosts → variety → pins → shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from models.item_index import Floats, ItemIndex
from models.pool import CONTENT, NAMED, RULE, ListInput, Pool, allowed_pins, limits_of, make_pool, with_named
from models.ranking import BandWeights, Blend, blend, profile_embedding, shown_shares, source_weights
from models.rules.item_rules import ItemRules
from models.rules.pins import with_pins
from models.varied import Variety, make_caps, rows_of, vary

__all__ = ["CONTENT", "ListInput", "RankConfig", "Ranked", "rank_lists"]

HISTORY_LENGTH = "history_length"
FEATURE_DIGITS = 5
CONTENT_ITEMS = 32
"""Newest items that make the profile embedding: all older ones together weigh less than 1 %."""
CELLS_AT_ONCE = 1 << 24
"""Cosines of lists × items in memory at a time (64 MB)."""
LISTS_AT_ONCE = 64
"""Blended together: few enough for their candidates' vectors to stay near the processor."""


@dataclass(frozen=True)
class RankConfig:
    """Constants of ranking; see `agents.settings` for meanings."""

    weights: Mapping[str, float]
    candidates_content: int = 50
    diversity: float = 0.0
    category_cap: int = 0
    after_pause: Mapping[str, float] = field(default_factory=dict)
    """Source → what its weight is multiplied with when the user was away for long."""
    calibration: float = 0.0
    learned: BandWeights | None = None
    """Weights in place of `weights`."""

    def weights_of(self, one: ListInput, sources: Sequence[str]) -> Floats:
        """The weight of each source [S] for this user: the learned one if there are any, changed after a pause."""
        learned = self.weights if self.learned is None else self.learned.of(one.history_length)
        weights = source_weights(sources, learned)
        if one.after_pause:
            weights *= np.array([self.after_pause.get(source, 1.0) for source in sources], np.float32)
        return weights


class Ranked(NamedTuple):
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
    pinned: bool = False
    """A rule put it at its place."""


@dataclass(frozen=True)
class _Draft:
    """A list before its order is known: its candidates, and those that rules hold at a position."""

    one: ListInput
    pool: Pool
    sources: list[str]
    pins: list[tuple[int, int]]
    """(position, place in the pool)"""


def rank_lists(
    inputs: Sequence[ListInput], index: ItemIndex, config: RankConfig, content: bool, rules: ItemRules | None = None
) -> list[list[Ranked]]:
    """The list of each input. `content`: use the embeddings of the index, as a source and for variety.

    rules: of this index, refreshed.
    """
    drafts = _drafts(inputs, index, config, content, rules)
    variety = Variety(config.diversity, config.calibration, by_vectors=content)
    alike: dict[tuple[str, ...], list[int]] = {}
    for at, draft in enumerate(drafts):
        if draft.pool.ids:
            alike.setdefault(tuple(draft.sources), []).append(at)
    lists: list[list[Ranked]] = [[] for _ in inputs]
    for group in alike.values():
        for start in range(0, len(group), LISTS_AT_ONCE):
            part = group[start : start + LISTS_AT_ONCE]
            ranked = _rank([drafts[at] for at in part], index, config, variety, rules)
            for at, made in zip(part, ranked, strict=True):
                lists[at] = made
    return lists


def _drafts(
    inputs: Sequence[ListInput], index: ItemIndex, config: RankConfig, content: bool, rules: ItemRules | None
) -> list[_Draft]:
    vectors = [_wanted(one, index) if content else None for one in inputs]
    at_once = max(1, CELLS_AT_ONCE // max(1, len(index)))
    drafts: list[_Draft] = []
    for start in range(0, len(inputs), at_once):
        part, wanted = inputs[start : start + at_once], vectors[start : start + at_once]
        rows = [vector for vector in wanted if vector is not None]
        cosines = iter(np.stack(rows) @ index.vectors.T if rows else ())
        drafts += [
            _draft(one, index, config, next(cosines) if vector is not None else None, rules)
            for one, vector in zip(part, wanted, strict=True)
        ]
    return drafts


def _draft(
    one: ListInput, index: ItemIndex, config: RankConfig, cosines: Floats | None, rules: ItemRules | None
) -> _Draft:
    limits = limits_of(one, index)
    pool, sources = make_pool(one, index, config.candidates_content, cosines, limits, rules)
    pins = allowed_pins(one, index, limits, rules)
    sources = with_named(pool, sources, [item for _, item in pins], index, RULE)
    return _Draft(one, pool, sources, [(position, pool.ids.index(item)) for position, item in pins])


def _wanted(one: ListInput, index: ItemIndex) -> Floats | None:
    """The profile embedding, with what is on the page first."""
    newest = [one.context_item, *one.recent[:CONTENT_ITEMS]] if one.context_item else one.recent[:CONTENT_ITEMS]
    places = index.places(dict.fromkeys(newest))
    has_vector = np.flatnonzero(places >= 0)
    has_vector = has_vector[index.embedded[places[has_vector]]]
    return profile_embedding(index.vectors[places[has_vector]], has_vector, one.query)


def _rank(
    drafts: Sequence[_Draft], index: ItemIndex, config: RankConfig, variety: Variety, rules: ItemRules | None
) -> list[list[Ranked]]:
    """Lists of the same sources, each with candidates."""
    counts = [len(draft.pool.ids) for draft in drafts]
    most = max(counts)
    scores = np.zeros((len(drafts), len(drafts[0].sources), most), np.float32)
    places = np.full((len(drafts), most), -1, np.int64)
    for at, draft in enumerate(drafts):
        scores[at, :, : counts[at]], places[at, : counts[at]] = draft.pool.scores, draft.pool.places
    blended = blend(scores, np.stack([config.weights_of(draft.one, draft.sources) for draft in drafts]))
    totals = blended.total if rules is None else blended.total * rules.factors(places)
    free = np.where(np.arange(most) < np.array(counts)[:, None], totals, -np.inf)
    for at, draft in enumerate(drafts):
        free[at, [place for _, place in draft.pins]] = -np.inf
    varied = vary(
        free,
        places,
        index,
        max(draft.one.k for draft in drafts),
        variety,
        [draft.one.recent for draft in drafts],
        [
            make_caps(index, row, row[[place for _, place in draft.pins]], config.category_cap, rules)
            for draft, row in zip(drafts, places, strict=True)
        ],
    )
    picked = [
        with_pins([place for place in row[: draft.one.k - len(draft.pins)] if place >= 0], draft.pins, draft.one.k)
        for draft, row in zip(drafts, varied.tolist(), strict=True)
    ]
    return _ranked(drafts, index, blended, totals, picked)


def _ranked(
    drafts: Sequence[_Draft], index: ItemIndex, blended: Blend, totals: Floats, picked: Sequence[Sequence[int]]
) -> list[list[Ranked]]:
    """What is told of the picked candidates of each list."""
    sources = drafts[0].sources
    lists = np.repeat(np.arange(len(drafts)), [len(places) for places in picked])
    flat = np.array([place for places in picked for place in places], np.intp)
    shown, lead = shown_shares(blended.shares(lists, flat))
    normal = blended.normal[lists, :, flat].astype(np.float64).round(FEATURE_DIGITS)
    told = [at for at, source in enumerate(sources) if source not in NAMED]
    names = [sources[at] for at in told] + [HISTORY_LENGTH]
    rows = zip(
        shown.tolist(),
        lead.tolist(),
        normal[:, told].tolist(),
        totals[lists, flat].tolist(),
        flat.tolist(),
        strict=True,
    )
    made = []
    for draft, places in zip(drafts, picked, strict=True):
        pool, pinned = draft.pool, {place for _, place in draft.pins}
        length = float(draft.one.history_length)
        at = pool.places[list(places)]
        categories = rows_of(index.categories, at, -1).tolist()
        because = pool.because[list(places)].tolist()
        ranked = []
        for item_at, groups, spoke, (shares, leader, normals, score, place) in zip(
            at.tolist(), categories, because, islice(rows, len(places)), strict=True
        ):
            ranked.append(
                Ranked(
                    item_id=pool.ids[place],
                    score=score,
                    shares={source: share for source, share in zip(sources, shares, strict=True) if share},
                    lead=sources[leader],
                    features=dict(zip(names, [*normals, length], strict=True)),
                    because=spoke,
                    categories=[number for number in groups if number >= 0],
                    searched=sources[leader] == CONTENT and _searched(draft.one, index, item_at),
                    pinned=place in pinned,
                )
            )
        made.append(ranked)
    return made


def _searched(one: ListInput, index: ItemIndex, at: int) -> bool:
    if one.query is None:
        return False
    history = _wanted(replace(one, query=None), index)
    item = index.vectors[at]
    return history is None or bool(one.query @ item >= history @ item)
