"""Which new item a place for exploring shows: near by text, drawn by Thompson sampling, and each item in its turn.

A user has to do with a new item j before anybody else only if its text is like those of the user's newest items i_k:

    text(j | u) = Σ_k (k + 1)^−½ · max(cos(j, i_k), .01)^6            over the 5 newest items with a text

Whether the item is any good is learned from what comes of showing it (Thompson 1933; Chapelle and Li 2011):

    θ_j ~ Beta(20 + clicks, 180 + skips),     the place shows the item with the largest  text(j | u) · θ_j

A tenth of the places, drawn, goes to the items that were shown least, among these by the same product: so n items are
each shown N times after at most n · N such places, whatever their texts are like. All draws come of the list's id and
the items' ids: the same records give the same lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.diversity import Caps
from models.item_index import Floats, Places
from models.new_items import NewItems
from models.rules.pins import with_pins

T = TypeVar("T")

TEXT_ITEMS = 5
TEXT_RECENCY = 0.5
"""Chosen on validation events of amazon_office and amazon_giftcards."""
LEAST_COSINE = 0.01
"""Less is taken for so much: where no text is like the user's, draws decide."""
PRIOR_CLICKS, PRIOR_SKIPS = 20.0, 180.0
"""As if each new item had been clicked in 20 of 200 places: with a weaker prior draws cover what texts say."""
DUE_SHARE = 0.1
DIGEST_BYTES = 16
STRIDE = 10
"""Places of which so many show new items: of each ten the last ones."""


@dataclass(frozen=True)
class Wish:
    """What is known of one list."""

    list_id: str
    text: Floats
    """[n], `text_scores` of the new items."""
    allowed: NDArray[np.bool_]
    """[n], which of the new items the list may show."""
    factors: Floats
    """[n], what rules and business weights multiply scores with."""
    caps: Caps | None = None
    """Of the new items, with what the rest of the list uses of them."""


def slots_of(k: int, slots: int) -> list[int]:
    """Places from 0 that show new items in a list of k: of each ten the last `slots`, of fewer as large a part."""
    places: list[int] = []
    for begin in range(0, k, STRIDE):
        end = min(begin + STRIDE, k)
        places += range(end - slots * (end - begin) // STRIDE, end)
    return places


def text_scores(cosines: Floats) -> Floats:
    """`text(j | u)` of n items from cosines [n, m] with the m ≤ `TEXT_ITEMS` newest items, newest first: [n] > 0.

    All 1 for m = 0: nothing is known by text.
    """
    if not cosines.shape[1]:
        return np.ones(len(cosines), np.float32)
    weights = ((np.arange(cosines.shape[1]) + 1.0) ** -TEXT_RECENCY).astype(np.float32)
    near = np.maximum(cosines, LEAST_COSINE)
    scores: Floats = (near * near * near) ** 2 @ weights  # the power 6, which numpy takes a logarithm for
    return scores


def explored(wish: Wish, new: NewItems, count: int) -> Places:
    """At most `count` places of the index, in the order in which they are to be shown, each once."""
    draw = np.random.default_rng(int.from_bytes(blake2b(wish.list_id.encode(), digest_size=DIGEST_BYTES).digest()))
    quality = draw.beta(PRIOR_CLICKS + new.clicks, PRIOR_SKIPS + new.skips)
    due = draw.random(count) < DUE_SHARE
    scores, left = wish.text * wish.factors * quality, wish.allowed.copy()
    picked: list[int] = []
    for turn in due.tolist():
        if wish.caps is not None:
            used = wish.caps.taken + wish.caps.hot[picked].sum(axis=0)
            left &= ~(wish.caps.hot & (used >= wish.caps.most)).any(axis=1)  # pins may exceed a cap: only of its group
        if not left.any():
            break
        among = left & (new.shown == new.shown[left].min()) if turn else left
        at = int(np.where(among, scores, -1.0).argmax())
        left[at] = False
        picked.append(at)
    return new.places[picked]


def with_explored(natural: Sequence[T], pinned: Sequence[bool], new: Sequence[T], k: int, slots: int) -> list[T]:
    """A list of at most k with new items at their places: the last of the others make room, pinned ones stay.

    pinned: of each of `natural`; new: at most as many as `free_slots` says.
    """
    fixed = [(place, one) for place, (one, held) in enumerate(zip(natural, pinned, strict=True)) if held]
    at = free_slots(pinned, k, slots)
    others = [one for one, held in zip(natural, pinned, strict=True) if not held]
    return with_pins(others, [*fixed, *zip(at, new, strict=False)], k)


def free_slots(pinned: Sequence[bool], k: int, slots: int) -> list[int]:
    """Places for new items in a list of k whose first places are pinned or not."""
    return [place for place in slots_of(k, slots) if place >= len(pinned) or not pinned[place]]
