"""The new items of a catalogue, and what came of showing them.

An item is new if nobody had to do with it yet, or if it was shown as a new one, and it was shown so less often than
`impressions` times. What is known of it comes from two streams: who had to do with it (`taken`), and how its places for
exploring ended (`use`). Both may name items that the catalogue does not hold yet.
"""

from collections.abc import Iterable, Mapping
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from models.item_index import Floats, ItemIndex, Places

MOST_NEW = 2_000
"""So many are explored at a time, those that came last: a list takes a look at each of them (about 0.5 ms)."""

Counts = Mapping[str, tuple[int, int]]
"""Item → clicks and skips of its places for exploring."""


class NewItems:
    """Over one index, as of the last `refresh`. Arrays are in the order of ids, whatever the order of arrival."""

    def __init__(self, index: ItemIndex, impressions: int) -> None:
        """`impressions`: an item shown so often as a new one is none any more."""
        self._index, self._impressions = index, impressions
        self._taken_ids: set[str] = set()
        self._taken = np.zeros(0, np.bool_)
        self._counts: Counts = {}
        self._seen_changes, self._stale = 0, True
        self.places: Places = np.zeros(0, np.int64)
        """[n], in the index."""
        self.clicks: NDArray[np.int64] = np.zeros(0, np.int64)
        self.skips: NDArray[np.int64] = np.zeros(0, np.int64)
        """[n], of places for exploring."""
        self.vectors: Floats = np.zeros((0, index.dimension), np.float32)
        """[n, d], zero for what has none."""

    @property
    def shown(self) -> NDArray[np.int64]:
        """[n], what is known to have come of places for exploring: clicks, purchases and skips."""
        return np.asarray(self.clicks + self.skips, np.int64)

    def taken(self, changes: Iterable[tuple[str, bool]]) -> None:
        """Somebody had to do with these items (True), or nobody has any more."""
        for item, is_taken in changes:
            if (item in self._taken_ids) == is_taken:
                continue  # rows of known items come all the time
            if is_taken:
                self._taken_ids.add(item)
            else:
                self._taken_ids.discard(item)
            at = int(self._index.places([item])[0])
            if 0 <= at < len(self._taken):
                self._taken[at] = is_taken
            self._stale = True

    def use(self, counts: Counts) -> None:
        """What came of exploring so far, of all items."""
        self._counts, self._stale = counts, True

    def refresh(self) -> None:
        """Bring the arrays up to date with the catalogue and its vectors."""
        index = self._index
        if self._stale or index.changes != self._seen_changes:
            self._follow_catalogue()
            new = index.available & ~self._taken
            explored = index.places(self._counts)
            ended = np.array([sum(counts) for counts in self._counts.values()], np.int64)
            known = explored >= 0
            new[explored[known]] = index.available[explored[known]] & (ended[known] < self._impressions)
            self.places = self._in_order(np.flatnonzero(new))
            counts = [self._counts.get(index.ids[place], (0, 0)) for place in self.places.tolist()]
            self.clicks, self.skips = np.array(counts, np.int64).reshape(-1, 2).T
            self._stale = False
        # A vector may come later than its item, and without a change of the catalogue.
        self.vectors = index.vectors[self.places]

    def _follow_catalogue(self) -> None:
        index = self._index
        more = len(index) - len(self._taken)
        self._taken = np.concatenate([self._taken, np.zeros(more, np.bool_)])
        for place in index.changed_since(self._seen_changes).tolist():
            self._taken[place] = index.ids[place] in self._taken_ids
        self._seen_changes = index.changes

    def _in_order(self, places: Places) -> Places:
        """By id; of more than `MOST_NEW` those that came into the catalogue last."""
        ids = self._index.ids
        if len(places) > MOST_NEW:
            came = np.nan_to_num(self._index.added_at[places], nan=-np.inf)
            least = np.partition(came, len(places) - MOST_NEW)[len(places) - MOST_NEW]
            later = places[came > least]
            tied = nsmallest(MOST_NEW - len(later), places[came == least].tolist(), key=ids.__getitem__)
            places = np.concatenate([later, np.array(tied, np.int64)])
        return np.array(sorted(places.tolist(), key=ids.__getitem__), np.int64)
