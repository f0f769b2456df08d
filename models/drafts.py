"""Lists before their order is known: the candidates of each, and those that rules hold at a position."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.item_index import Floats, ItemIndex
from models.pool import RULE, ListInput, Pool, allowed_pins, limits_of, make_pool, with_named
from models.ranking import profile_embedding
from models.rules.item_rules import ItemRules

CONTENT_ITEMS = 32
"""Newest items that make the profile embedding: all older ones together weigh less than 1 %."""
CELLS_AT_ONCE = 1 << 24
"""Cosines of lists × items in memory at a time (64 MB)."""


@dataclass
class Draft:
    """One list before its order is known."""

    one: ListInput
    pool: Pool
    sources: list[str]
    """Of the rows of `pool.scores`."""
    pins: list[tuple[int, int]]
    """(position, place in the pool)"""

    def add_source(self, source: str, scores: Floats) -> None:
        """What one more source says of each candidate."""
        self.pool.scores = np.vstack([self.pool.scores, scores])
        self.sources = [*self.sources, source]


def make_drafts(
    inputs: Sequence[ListInput], index: ItemIndex, most_content: int, content: bool, rules: ItemRules | None
) -> list[Draft]:
    """The draft of each input. `content`: up to `most_content` items near the profile embedding are candidates too."""
    vectors = [wanted_vector(one, index) if content else None for one in inputs]
    at_once = max(1, CELLS_AT_ONCE // max(1, len(index)))
    drafts: list[Draft] = []
    for start in range(0, len(inputs), at_once):
        part, wanted = inputs[start : start + at_once], vectors[start : start + at_once]
        rows = [vector for vector in wanted if vector is not None]
        cosines = iter(np.stack(rows) @ index.vectors.T if rows else ())
        drafts += [
            _draft(one, index, most_content, next(cosines) if vector is not None else None, rules)
            for one, vector in zip(part, wanted, strict=True)
        ]
    return drafts


def _draft(
    one: ListInput, index: ItemIndex, most_content: int, cosines: Floats | None, rules: ItemRules | None
) -> Draft:
    limits = limits_of(one, index)
    pool, sources = make_pool(one, index, most_content, cosines, limits, rules)
    pins = allowed_pins(one, index, limits, rules)
    sources = with_named(pool, sources, [item for _, item in pins], index, RULE)
    return Draft(one, pool, sources, [(position, pool.ids.index(item)) for position, item in pins])


def wanted_vector(one: ListInput, index: ItemIndex) -> Floats | None:
    """The profile embedding, with what is on the page first."""
    newest = [one.context_item, *one.recent[:CONTENT_ITEMS]] if one.context_item else one.recent[:CONTENT_ITEMS]
    places = index.places(dict.fromkeys(newest))
    has_vector = np.flatnonzero(places >= 0)
    has_vector = has_vector[index.embedded[places[has_vector]]]
    return profile_embedding(index.vectors[places[has_vector]], has_vector, one.query)
