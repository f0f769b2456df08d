"""The catalogue as arrays: a place for each item, and what ranking needs to know of it."""

from collections.abc import Collection, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from models.interning import Interner

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

FIRST_CAPACITY = 1_024
CATEGORIES_KEPT = 16
"""Categories of an item that filters, rules, variety and reasons look at; and as many tags."""


class ItemIndex:
    """Items in places 0, 1, 2 …; a place stays with its id for ever, also after the item is removed.

    `dimension` 0: no embeddings are kept.
    """

    def __init__(self, dimension: int = 0) -> None:
        self._items = Interner()
        self._words = Interner()
        self._titles: list[str] = []
        self._available = np.zeros(FIRST_CAPACITY, np.bool_)
        self._embedded = np.zeros(FIRST_CAPACITY, np.bool_)
        self._categories = np.full((FIRST_CAPACITY, 1), -1, np.int32)
        self._tags = np.full((FIRST_CAPACITY, 1), -1, np.int32)
        self._added_at = np.full(FIRST_CAPACITY, np.nan)
        self._weights = np.ones(FIRST_CAPACITY, np.float32)
        self._changed_at = np.zeros(FIRST_CAPACITY, np.int64)
        self.changes = 0
        """Items put and removed so far."""
        self._vectors = np.zeros((FIRST_CAPACITY, dimension), np.float32)
        self._texts: dict[int, str] = {}
        self._bare: set[int] = set()
        self._embedded_count = 0

    def __len__(self) -> int:
        """Places in use, N: the length of the arrays."""
        return len(self._items)

    @property
    def embedded_count(self) -> int:
        """Items with a vector, perhaps of an older text."""
        return self._embedded_count

    @property
    def embedded_share(self) -> float:
        """Share of the items with a text that have a vector; 1 if there are none."""
        with_text = self._embedded_count + len(self._bare)
        return self._embedded_count / with_text if with_text else 1.0

    @property
    def waiting_count(self) -> int:
        """Items that wait for a vector."""
        return len(self._texts)

    @property
    def dimension(self) -> int:
        """d of the vectors; 0: none are kept."""
        return self._vectors.shape[1]

    @property
    def ids(self) -> list[str]:
        """Place → id. Read only."""
        return self._items.ids

    @property
    def available(self) -> NDArray[np.bool_]:
        """[N], in the catalogue and for sale. Read only, as all arrays here."""
        return self._available[: len(self)]

    @property
    def embedded(self) -> NDArray[np.bool_]:
        """[N], has a vector."""
        return self._embedded[: len(self)]

    @property
    def categories(self) -> NDArray[np.int32]:
        """[N, w], numbers of the categories, filled up with −1."""
        return self._categories[: len(self)]

    @property
    def tags(self) -> NDArray[np.int32]:
        """[N, w], as `categories`, with numbers of the same kind."""
        return self._tags[: len(self)]

    @property
    def added_at(self) -> NDArray[np.float64]:
        """[N], when the item came into the catalogue, Unix seconds; NaN: not known."""
        return self._added_at[: len(self)]

    @property
    def weights(self) -> Floats:
        """[N], what the item's score is multiplied with."""
        return self._weights[: len(self)]

    @property
    def vectors(self) -> Floats:
        """[N, d], unit vectors; zero without one."""
        return self._vectors[: len(self)]

    def put(
        self,
        item_id: str,
        title: str,
        categories: Sequence[str],
        available: bool,
        text: str,
        *,
        tags: Sequence[str] = (),
        added_at: float | None = None,
        weight: float = 1.0,
    ) -> None:
        """Add or change an item. A `text` other than empty waits for its vector, see `waiting`."""
        place = self._items.number(item_id)
        if place == len(self._titles):
            self._titles.append("")
            self._grow(place + 1)
        self._note_change(place)
        self._titles[place] = title
        self._available[place] = available
        self._categories = self._with_words(self._categories, place, categories)
        self._tags = self._with_words(self._tags, place, tags)
        self._added_at[place] = np.nan if added_at is None else added_at
        self._weights[place] = weight
        if not self.dimension:
            return
        if text:
            self._texts[place] = text
            if not self._embedded[place]:
                self._bare.add(place)
        else:
            self._forget_vector(place)

    def remove(self, item_id: str) -> None:
        """The item is not in the catalogue any more."""
        place = self._items.known(item_id)
        if place is None:
            return
        self._note_change(place)
        self._available[place] = False
        self._titles[place] = ""
        self._categories[place] = self._tags[place] = -1
        self._added_at[place], self._weights[place] = np.nan, 1.0
        self._forget_vector(place)

    def changed_since(self, changes: int) -> Places:
        """Places that were put or removed since `self.changes` was this, ascending."""
        return np.flatnonzero(self._changed_at[: len(self)] > changes)

    def _note_change(self, place: int) -> None:
        self.changes += 1
        self._changed_at[place] = self.changes

    def waiting(self, most: int) -> tuple[Places, list[str]]:
        """At most `most` items that wait for a vector, oldest change first: places and texts."""
        chosen = list(islice(self._texts.items(), most))
        return np.array([place for place, _ in chosen], np.int64), [text for _, text in chosen]

    def set_vectors(self, places: Places, texts: Sequence[str], vectors: Floats) -> None:
        """The vectors [m, d] of these texts; an item whose text is another one by now goes on waiting.

        A vector that is not finite, of a broken model, counts as none: it would turn every list that it is in.
        """
        current = [self._texts.get(place) == text for place, text in zip(places.tolist(), texts, strict=True)]
        places, vectors = places[current], vectors[current]
        finite = np.isfinite(vectors).all(axis=1)
        for place in places[~finite].tolist():
            self._forget_vector(place)
        for place in places[finite].tolist():
            del self._texts[place]
            self._bare.discard(place)
            self._embedded_count += not self._embedded[place]
            self._embedded[place] = True
        self._vectors[places[finite]] = vectors[finite]

    def places(self, ids: Collection[str]) -> Places:
        """The place of each id, −1 where there never was such an item, [len(ids)]."""
        return self._items.find(ids)

    def category_numbers(self, names: Collection[str]) -> Places:
        """The number of each category or tag, −1 where no item ever had it."""
        return self._words.find(names)

    def category_name(self, number: int) -> str:
        """The name of a category number."""
        return self._words.ids[number]

    def title(self, item_id: str) -> str:
        """The item's title; its id where it has none."""
        return self.own_title(item_id) or item_id

    def own_title(self, item_id: str) -> str:
        """The item's title; empty where it has none."""
        place = self._items.known(item_id)
        return "" if place is None else self._titles[place]

    def _with_words(self, table: NDArray[np.int32], place: int, words: Sequence[str]) -> NDArray[np.int32]:
        """The table with these words in the row `place`; a wider one where it is too narrow."""
        numbers = self._words.numbers(dict.fromkeys(words[:CATEGORIES_KEPT]))
        if len(numbers) > table.shape[1]:
            wider = np.full((len(table), len(numbers)), -1, np.int32)
            wider[:, : table.shape[1]] = table
            table = wider
        table[place] = -1
        table[place, : len(numbers)] = numbers
        return table

    def _forget_vector(self, place: int) -> None:
        self._texts.pop(place, None)
        self._bare.discard(place)
        self._embedded_count -= bool(self._embedded[place])
        self._embedded[place] = False
        self._vectors[place] = 0

    def _grow(self, needed: int) -> None:
        if needed <= len(self._available):
            return
        more = len(self._available)
        self._available = np.concatenate([self._available, np.zeros(more, np.bool_)])
        self._embedded = np.concatenate([self._embedded, np.zeros(more, np.bool_)])
        self._categories = np.concatenate([self._categories, np.full((more, self._categories.shape[1]), -1, np.int32)])
        self._tags = np.concatenate([self._tags, np.full((more, self._tags.shape[1]), -1, np.int32)])
        self._added_at = np.concatenate([self._added_at, np.full(more, np.nan)])
        self._weights = np.concatenate([self._weights, np.ones(more, np.float32)])
        self._changed_at = np.concatenate([self._changed_at, np.zeros(more, np.int64)])
        self._vectors = np.concatenate([self._vectors, np.zeros((more, self.dimension), np.float32)])
