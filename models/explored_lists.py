"""New items into ranked lists: of each ten places the last ones are theirs, within what rules and requests allow."""

from collections.abc import Sequence

import numpy as np

from models.exploring import TEXT_ITEMS, Wish, explored, free_slots, text_scores, with_explored
from models.item_index import Floats, ItemIndex
from models.new_items import NewItems
from models.pool import EXPLORE, ListInput, limits_of
from models.ranked_list import HISTORY_LENGTH, RankConfig, Ranked
from models.rules.guard import allowed_among
from models.rules.item_rules import ItemRules
from models.varied import make_caps

TEXT_ITEMS_LOOKED_AT = 20
"""Newest items among which those with a text are looked for."""
AT_ONCE = 64
"""Lists whose cosines with the new items are in memory at a time: 2.5 MB for 2,000 items."""


def explore_lists(
    inputs: Sequence[ListInput],
    lists: Sequence[list[Ranked]],
    list_ids: Sequence[str],
    index: ItemIndex,
    new: NewItems,
    config: RankConfig,
    content: bool,
    rules: ItemRules | None = None,
) -> list[list[Ranked]]:
    """Each list with new items at its places for exploring.

    list_ids: draws come of them. new: of this index, refreshed, as `rules`. content: look at texts.
    """
    if not (config.explore_slots and len(new.places)):
        return list(lists)
    made = []
    for start in range(0, len(inputs), AT_ONCE):
        part = inputs[start : start + AT_ONCE]
        recent = [_recent(one, index) if content else index.vectors[:0] for one in part]
        ends = np.cumsum([len(rows) for rows in recent])
        # One product for many lists: it takes the vectors of the new items into the processor once.
        texts = map(text_scores, np.split(new.vectors @ np.concatenate(recent).T, ends[:-1], axis=1))
        made += [
            _explore(one, ranked, list_id, text, index, new, config, rules)
            for one, ranked, list_id, text in zip(
                part, lists[start : start + AT_ONCE], list_ids[start : start + AT_ONCE], texts, strict=True
            )
        ]
    return made


def _explore(
    one: ListInput,
    ranked: list[Ranked],
    list_id: str,
    text: Floats,
    index: ItemIndex,
    new: NewItems,
    config: RankConfig,
    rules: ItemRules | None,
) -> list[Ranked]:
    pinned = [place.pinned for place in ranked]
    slots = free_slots(pinned, one.k, config.explore_slots)
    if not slots:
        return ranked
    allowed = allowed_among(new.places, index, limits_of(one, index), rules)
    factors = np.ones(len(new.places), np.float32) if rules is None else rules.factors(new.places)
    count, found = len(slots), index.places(())
    while count:  # with fewer new items more of the others stay, which caps count too
        others = with_explored(ranked, pinned, [None] * count, one.k, config.explore_slots)
        stay = index.places([place.item_id for place in others if place is not None])
        caps = make_caps(index, new.places, stay, config.category_cap, rules)
        found = explored(Wish(list_id, text, allowed & ~np.isin(new.places, stay), factors, caps), new, count)
        if len(found) == count:
            break
        count = len(found)
    items = [_place(one, index, at) for at in found.tolist()]
    return with_explored(ranked, pinned, items, one.k, config.explore_slots)


def _recent(one: ListInput, index: ItemIndex) -> Floats:
    """Vectors of the newest items that have one, what is on the page first."""
    newest = [one.context_item, *one.recent[:TEXT_ITEMS_LOOKED_AT]] if one.context_item else one.recent
    places = index.places(dict.fromkeys(newest[:TEXT_ITEMS_LOOKED_AT]))
    places = places[places >= 0]
    return index.vectors[places[index.embedded[places]][:TEXT_ITEMS]]


def _place(one: ListInput, index: ItemIndex, at: int) -> Ranked:
    return Ranked(
        item_id=index.ids[at],
        score=0.0,
        shares={EXPLORE: 1.0},
        lead=EXPLORE,
        features={HISTORY_LENGTH: float(one.history_length)},
        because=-1,
        categories=[number for number in index.categories[at].tolist() if number >= 0],
        searched=False,
    )
