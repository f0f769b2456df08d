"""The catalogue in the scorer: records of `items` into the index, texts into vectors, a slice at a time."""

import logging
import time
from collections.abc import Iterable

from agents.records import Item
from agents.scoring.vector_store import VectorStore
from models.bert.contract import TextEncoder
from models.item_index import ItemIndex

log = logging.getLogger(__name__)

SLICE_S = 0.03
"""Embedding stops for waiting candidates after about this long."""
FIRST_SLICE = 16
LARGEST_SLICE = 10_000
FROM_DISK_AT_ONCE = 20_000
PROGRESS_S = 5.0
STALE_SHARE = 2
"""The vectors' file is rewritten when it holds more than twice what the catalogue needs …"""
STALE_RECORDS = 1_000
"""… and so many records more."""


def text_of(item: Item) -> str:
    """What the model reads of an item: title, description, categories and tags, each on a line."""
    lines = (item.title, item.description, ", ".join([*item.categories, *item.tags]))
    return "\n".join(line.strip() for line in lines if line.strip())


class Catalogue:
    """The index and what keeps it current."""

    def __init__(self, encoder: TextEncoder | None, store: VectorStore | None) -> None:
        self.index = ItemIndex(encoder.dimension if encoder else 0)
        self._encoder = encoder
        self._store = store
        self._slice = FIRST_SLICE
        self._told_at = time.monotonic()

    def update(self, records: Iterable[tuple[bytes, Item | None]]) -> None:
        """Take over records of `items`, in the order of their partition; None: deleted."""
        for key, item in records:
            if item is None:
                self.index.remove(key.decode(errors="replace"))
            else:
                self.index.put(
                    item.item_id,
                    item.title,
                    item.categories,
                    item.available,
                    text_of(item),
                    tags=item.tags,
                    added_at=item.added_at,
                    weight=item.weight,
                )

    def embed_from_disk(self) -> None:
        """Give all waiting items the vectors that are on disk; the others go on waiting."""
        if self._store is None or not self.index.waiting_count:
            return
        places, texts = self.index.waiting(self.index.waiting_count)
        for start in range(0, len(texts), FROM_DISK_AT_ONCE):
            part = slice(start, start + FROM_DISK_AT_ONCE)
            found, vectors = self._store.find(texts[part])
            self.index.set_vectors(places[part][found], [texts[part][at] for at in found.tolist()], vectors)
        if self._store.records > STALE_SHARE * len(texts) + STALE_RECORDS:
            self._store.keep_only(texts)

    @property
    def waiting(self) -> int:
        """Items that wait for their vector."""
        return self.index.waiting_count if self._encoder is not None else 0

    def embed_some(self) -> int:
        """Embed about `SLICE_S` seconds' worth of waiting texts; how many it were."""
        if self._encoder is None or self._store is None or not self.waiting:
            return 0
        started = time.monotonic()
        places, texts = self.index.waiting(self._slice)
        found, vectors = self._store.find(texts)
        if len(found):
            places, texts = places[found], [texts[at] for at in found.tolist()]
        else:
            vectors = self._encoder.encode(texts)
            self._store.add(texts, vectors)
        self.index.set_vectors(places, texts, vectors)
        ended = time.monotonic()
        self._slice = _next_slice(self._slice, ended - started)
        if not self.waiting or ended - self._told_at > PROGRESS_S:
            self._told_at = ended
            log.info("embeddings: %d items ready, %d to go", self.index.embedded_count, self.waiting)
        return len(texts)


def _next_slice(size: int, took_s: float) -> int:
    """Towards `SLICE_S`, at most doubling: the first calls of a model are slow."""
    return max(1, min(LARGEST_SLICE, 2 * size, round(size * SLICE_S / max(took_s, 1e-4))))
