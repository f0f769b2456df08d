"""Short lists of the most popular and the newest items: overall, in a segment, with a word; made on demand."""

from collections.abc import Callable

import numpy as np

from models.catalogue import Catalogue
from models.cooccurrence import Ints
from models.neighbour_table import Floats, NeighbourTable
from models.popularity import fade

LISTED = 1_000
"""Most items of a list: the history of a busy user must not empty it."""

Ranked = tuple[Ints, Floats]
"""Item numbers, best first, and their scores."""


class PopularLists:
    """A snapshot of popularity; `refresh` takes a new one."""

    def __init__(self, table: NeighbourTable, catalogue: Catalogue, half_life: float) -> None:
        self._table, self._catalogue, self._half_life = table, catalogue, half_life
        self._made: dict[tuple[str, str], Ranked] = {}
        # Kept for as long as the catalogue stays: it takes a look at every item.
        self._newest_of_all: tuple[int, Ranked] | None = None
        self.popularity: Floats = np.zeros(0)
        self.refresh()

    def refresh(self) -> None:
        """Forget the lists; they are made again from the newest popularity."""
        self._made.clear()
        self.popularity = self._table.popularity_now(self._half_life)

    def overall(self) -> Ranked:
        """Most popular items."""
        return self._list("overall", "", lambda: self._top(np.flatnonzero(self.popularity)))

    def in_segment(self, segment: str) -> Ranked:
        """Most popular items among the users of a segment."""
        return self._list("segment", segment, lambda: self._top_of_segment(segment))

    def with_word(self, word: str) -> Ranked:
        """Most popular items that have a category or tag."""
        return self._list("word", word, lambda: self._top(self._catalogue.with_word(word)))

    def fresh(self, word: str) -> Ranked:
        """Newest items that have a category or tag; the r-th scores 1 / (1 + r)."""
        return self._list("fresh", word, lambda: self._newest(self._catalogue.with_word(word)))

    def fresh_of_all(self) -> Ranked:
        """Newest items of the whole catalogue, scored as those of `fresh`."""
        if self._newest_of_all is None or self._newest_of_all[0] != self._catalogue.changes:
            self._newest_of_all = self._catalogue.changes, self._newest(self._catalogue.numbers())
        return self._newest_of_all[1]

    def _list(self, kind: str, name: str, make: Callable[[], Ranked]) -> Ranked:
        found = self._made.get((kind, name))
        if found is None:
            found = self._made[kind, name] = make()
        return found

    def _top(self, numbers: Ints) -> Ranked:
        numbers = numbers[numbers < len(self.popularity)]
        return _best(numbers, self.popularity[numbers])

    def _top_of_segment(self, segment: str) -> Ranked:
        of_segment = self._table.segments.get(segment, {})
        numbers = np.fromiter(of_segment, np.int64, len(of_segment))
        pairs = np.array(list(of_segment.values())).reshape(-1, 2)
        return _best(numbers, fade(pairs[:, 0], pairs[:, 1], self._table.clock, self._half_life))

    def _newest(self, numbers: Ints) -> Ranked:
        numbers = self._catalogue.newest(numbers, LISTED)
        return numbers, 1.0 / np.arange(1.0, len(numbers) + 1.0)


def _best(numbers: Ints, scores: Floats) -> Ranked:
    if len(numbers) > LISTED:
        kept = np.argpartition(-scores, LISTED - 1)[:LISTED]
        numbers, scores = numbers[kept], scores[kept]
    order = np.lexsort((numbers, -scores))
    return numbers[order], scores[order]
