"""One ranked list from candidates and the catalogue: rules → content → blend → boosts → variety → pins → shares."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.drafts import Draft, make_drafts, wanted_vector
from models.item_index import Floats, ItemIndex
from models.pool import CONTENT, NAMED, ListInput
from models.ranking import BandWeights, Blend, blend, shown_shares, source_weights
from models.rules.item_rules import ItemRules
from models.rules.pins import with_pins
from models.second_stage import BERT, SecondStage
from models.varied import Variety, make_caps, rows_of, vary

__all__ = ["CONTENT", "ListInput", "RankConfig", "Ranked", "rank_lists"]

HISTORY_LENGTH = "history_length"
FEATURE_DIGITS = 5
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
    explore_slots: int = 0
    """Of each ten places so many show new items; see `models.explored_lists`."""

    @property
    def reads(self) -> bool:
        """Whether the second stage counts."""
        return self.weights.get(BERT, 0.0) > 0

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


def rank_lists(
    inputs: Sequence[ListInput],
    index: ItemIndex,
    config: RankConfig,
    content: bool,
    rules: ItemRules | None = None,
    second: SecondStage | None = None,
) -> list[list[Ranked]]:
    """The list of each input. `content`: use the embeddings of the index, as a source and for variety.

    rules: of this index, refreshed. second: a model that reads the best candidates closely, if `BERT` has a weight.
    """
    drafts = make_drafts(inputs, index, config.candidates_content, content, rules)
    if second is not None and config.reads:
        best: list[list[int]] = [[] for _ in drafts]
        for part in _alike(drafts):
            for at, places in zip(part, _best([drafts[at] for at in part], config, rules, second.most), strict=True):
                best[at] = places
        second.read(drafts, best, index)
    variety = Variety(config.diversity, config.calibration, by_vectors=content)
    lists: list[list[Ranked]] = [[] for _ in inputs]
    for part in _alike(drafts):
        ranked = _rank([drafts[at] for at in part], index, config, variety, rules)
        for at, made in zip(part, ranked, strict=True):
            lists[at] = made
    return lists


def _alike(drafts: Sequence[Draft]) -> Iterator[list[int]]:
    """Numbers of drafts that have candidates, those of the same sources together, `LISTS_AT_ONCE` at most."""
    alike: dict[tuple[str, ...], list[int]] = {}
    for at, draft in enumerate(drafts):
        if draft.pool.ids:
            alike.setdefault(tuple(draft.sources), []).append(at)
    for group in alike.values():
        for start in range(0, len(group), LISTS_AT_ONCE):
            yield group[start : start + LISTS_AT_ONCE]


class _Blended(NamedTuple):
    """The blended scores of lists of the same sources, each with candidates."""

    blend: Blend
    totals: Floats
    """[B, n], with boosts"""
    free: Floats
    """[B, n], the same; −∞ for what is no candidate, and for pinned ones"""
    places: NDArray[np.int64]
    """[B, n], of the candidates in the index, −1: not there"""


def _blended(drafts: Sequence[Draft], config: RankConfig, rules: ItemRules | None) -> _Blended:
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
        if draft.pins:
            free[at, [place for _, place in draft.pins]] = -np.inf
    return _Blended(blended, totals, free, places)


def _best(drafts: Sequence[Draft], config: RankConfig, rules: ItemRules | None, most: int) -> Iterator[list[int]]:
    """Places in the pool of the best candidates of each draft, best first; none of those that rules hold."""
    for row in _blended(drafts, config, rules).free:
        best = np.argsort(-row, kind="stable")[:most]
        yield best[row[best] > -np.inf].tolist()


def _rank(
    drafts: Sequence[Draft], index: ItemIndex, config: RankConfig, variety: Variety, rules: ItemRules | None
) -> list[list[Ranked]]:
    """Lists of the same sources, each with candidates."""
    blended = _blended(drafts, config, rules)
    places = blended.places
    varied = vary(
        blended.free,
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
    return _ranked(drafts, index, blended, picked)


def _ranked(
    drafts: Sequence[Draft], index: ItemIndex, blended: _Blended, picked: Sequence[Sequence[int]]
) -> list[list[Ranked]]:
    """What is told of the picked candidates of each list."""
    sources = drafts[0].sources
    lists = np.repeat(np.arange(len(drafts)), [len(places) for places in picked])
    flat = np.array([place for places in picked for place in places], np.intp)
    shown, lead = shown_shares(blended.blend.shares(lists, flat))
    told = [at for at, source in enumerate(sources) if source not in NAMED]
    names = [sources[at] for at in told] + [HISTORY_LENGTH]
    numbers = np.empty((len(flat), len(names)))
    numbers[:, :-1] = blended.blend.normal[lists, :, flat][:, told]
    numbers[:, -1] = np.array([draft.one.history_length for draft in drafts])[lists]
    at = blended.places[lists, flat]
    rows = zip(
        shown.tolist(),
        lead.tolist(),
        numbers.round(FEATURE_DIGITS).tolist(),
        blended.totals[lists, flat].tolist(),
        flat.tolist(),
        at.tolist(),
        rows_of(index.categories, at, -1).tolist(),
        strict=True,
    )
    made = []
    for draft, places in zip(drafts, picked, strict=True):
        pool, pinned = draft.pool, {place for _, place in draft.pins}
        made.append(
            [
                Ranked(
                    pool.ids[place],
                    score,
                    {source: share for source, share in zip(sources, shares, strict=True) if share},
                    sources[leader],
                    _features(names, features),
                    int(pool.because[place]),
                    [number for number in groups if number >= 0],
                    sources[leader] == CONTENT and _searched(draft.one, index, item_at),
                    place in pinned,
                )
                for shares, leader, features, score, place, item_at, groups in islice(rows, len(places))
            ]
        )
    return made


def _features(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """What the ranker saw of an item; nothing of the second stage where it did not read it."""
    features = dict(zip(names, values, strict=True))
    if features.get(BERT) == 0:
        del features[BERT]
    return features


def _searched(one: ListInput, index: ItemIndex, at: int) -> bool:
    if one.query is None:
        return False
    history = wanted_vector(replace(one, query=None), index)
    item = index.vectors[at]
    return history is None or bool(one.query @ item >= history @ item)
