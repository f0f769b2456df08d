"""One ranked list from candidates and the catalogue: rules → content → blend → boosts → variety → pins → shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.item_index import Floats, ItemIndex
from models.pool import CONTENT, NAMED, RULE, ListInput, Pool, allowed_pins, limits_of, make_pool, with_named
from models.ranking import BandWeights, Blend, blend, profile_embedding, shown_shares, source_weights
from models.rules.item_rules import ItemRules
from models.rules.pins import with_pins
from models.varied import make_caps, vary

__all__ = ["CONTENT", "ListInput", "RankConfig", "Ranked", "rank_lists"]

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
    pinned: bool = False
    """A rule put it at its place."""


def rank_lists(
    inputs: Sequence[ListInput], index: ItemIndex, config: RankConfig, content: bool, rules: ItemRules | None = None
) -> list[list[Ranked]]:
    """The list of each input. `content`: use the embeddings of the index, as a source and for variety.

    rules: of this index, refreshed.
    """
    vectors = [_wanted(one, index) if content else None for one in inputs]
    at_once = max(1, CELLS_AT_ONCE // max(1, len(index)))
    lists: list[list[Ranked]] = []
    for start in range(0, len(inputs), at_once):
        part, wanted = inputs[start : start + at_once], vectors[start : start + at_once]
        rows = [vector for vector in wanted if vector is not None]
        cosines = iter(np.stack(rows) @ index.vectors.T if rows else ())
        lists += [
            _rank(one, index, config, content, next(cosines) if vector is not None else None, rules)
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


def _rank(
    one: ListInput, index: ItemIndex, config: RankConfig, content: bool, cosines: Floats | None, rules: ItemRules | None
) -> list[Ranked]:
    limits = limits_of(one, index)
    pool, sources = make_pool(one, index, config.candidates_content, cosines, limits, rules)
    pins = allowed_pins(one, index, limits, rules)
    sources = with_named(pool, sources, [item for _, item in pins], index, RULE)
    if not pool.ids:
        return []
    blended = blend(pool.scores, config.weights_of(one, sources))
    if rules is not None:
        blended = replace(blended, total=blended.total * rules.factors(pool.places))
    fixed = [(position, pool.ids.index(item)) for position, item in pins]
    held = np.array([place for _, place in fixed], np.intp)
    free = np.arange(len(pool.ids)) if not fixed else np.delete(np.arange(len(pool.ids)), held)
    varied = vary(
        blended.total[free],
        pool.places[free],
        index,
        one.k - len(fixed),
        diversity=config.diversity,
        calibration=config.calibration,
        by_vectors=content,
        recent=one.recent,
        caps=make_caps(index, pool.places[free], pool.places[held], config.category_cap, rules),
    )
    picked = with_pins(free[varied].tolist(), fixed, one.k)
    return _ranked(one, index, pool, sources, blended, np.array(picked, np.intp), frozenset(held.tolist()))


def _ranked(
    one: ListInput,
    index: ItemIndex,
    pool: Pool,
    sources: list[str],
    blended: Blend,
    picked: NDArray[np.intp],
    pinned: frozenset[int],
) -> list[Ranked]:
    normal = blended.normal[:, picked].T.astype(np.float64).round(FEATURE_DIGITS).tolist()
    shares = blended.shares[:, picked].T.tolist()
    length = {HISTORY_LENGTH: float(one.history_length)}
    told = [at for at, source in enumerate(sources) if source not in NAMED]
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
                features={sources[source]: normal[row][source] for source in told} | length,
                because=int(pool.because[place]),
                categories=[number for number in index.categories[at].tolist() if number >= 0] if at >= 0 else [],
                searched=lead == CONTENT and _searched(one, index, at),
                pinned=place in pinned,
            )
        )
    return ranked


def _searched(one: ListInput, index: ItemIndex, at: int) -> bool:
    if one.query is None:
        return False
    history = _wanted(replace(one, query=None), index)
    item = index.vectors[at]
    return history is None or bool(one.query @ item >= history @ item)
