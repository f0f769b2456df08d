"""Categories and tags of items as the catalogue's log tells them, and since when they are known."""

from collections.abc import Sequence

from agents.errors import RecordError
from agents.knowledge import read_entry
from agents.topics import Topic
from agents.verify.reading import Reader

SETTLED_MS = 60_000
"""A worker reads the catalogue beside the events: so long after a change either version may have counted."""

_Words = tuple[Sequence[str], int, bool]
"""Newest words, Kafka time of the newest record in ms, and whether other words were there before."""


class CatalogueWords:
    """item → words. Holds the words of every item."""

    def __init__(self) -> None:
        self._items: dict[str, _Words] = {}

    def read(self, reader: Reader, topic: Topic) -> None:
        """Read the catalogue as it is now."""
        for partition in range(topic.partitions):
            start, end = reader.start(topic, partition), reader.end(topic, partition)
            for record in reader.read(topic, partition, start, end):
                self._take(record.key or b"", record.value, record.timestamp)

    def _take(self, key: bytes, value: bytes | None, timestamp: int) -> None:
        words: Sequence[str] = ()
        if value is not None:
            try:
                entry = read_entry(key, value)
            except RecordError:
                return
            words = tuple(dict.fromkeys([*entry.categories, *entry.tags]))
        item = key.decode(errors="replace")
        known = self._items.get(item)
        self._items[item] = (words, timestamp, known is not None and known[0] != words)

    def of(self, item: str) -> Sequence[str]:
        """Words of an item as of now."""
        found = self._items.get(item)
        return found[0] if found is not None else ()

    def certain(self, item: str, at_ms: int) -> bool:
        """Whether these were its words for a worker at this Kafka time."""
        found = self._items.get(item)
        return found is None or (not found[2] and found[1] + SETTLED_MS <= at_ms)
