"""From the histories that a batch changed to `cooccurrence` messages, one run for each item partition."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agents.packed import CO_COUNTS, CoCounts, pack_ints
from agents.partition import partitions_of
from models.cooccurrence import (
    Ints,
    Sequences,
    entries_of,
    lay_out,
    pair_changes,
    sequences_of,
    unpack_counts,
    within_reach,
)
from models.interning import Interner
from models.profile import HistoryChange
from models.similarity import CsrRows

MOST_ENTRIES = 25_000
"""Changed co-counts that are packed at once: about 200 KB with ids of usual length."""
MOST_BYTES = 512 * 1024
"""What came out longer is packed again in halves: a message holds 1 MB."""


@dataclass(frozen=True)
class _Counts:
    """What a batch changed, by the batch's numbers of items."""

    pairs: CsrRows
    names: list[str]
    """Number → id, of all items."""
    numbers: Ints
    """Batch's number → number."""
    users: Ints
    popularity: Ints
    ratings: tuple[Ints, Ints]
    """Sums, in thousandths, and raters."""
    by_item: dict[str, list[tuple[str, int]]]
    """Item → (segment, events)."""

    def told(self) -> "_Counts":
        """The same, without what must not be told twice of a row whose co-counts are spread over messages."""
        nothing = np.zeros_like(self.users)
        return _Counts(self.pairs, self.names, self.numbers, nothing, nothing, (nothing, nothing), {})


class CoCountsWriter:
    """Gathers the changes of one batch at a time and packs them."""

    def __init__(self, items: Interner, partitions: int, window: int) -> None:
        self._items, self._partitions, self._window = items, partitions, window
        self._partition_of = np.zeros(0, np.int64)
        self._histories: list[str] = []
        self._sizes: list[tuple[int, int, int]] = []
        self._touched: list[str] = []
        self._rated: list[tuple[str, int, int]] = []
        self._segments: Counter[tuple[str, str]] = Counter()
        pair_changes(lay_out([]), 0, window)  # compiles, or loads, what the first batch must not wait for

    def add(self, change: HistoryChange, segment: str) -> None:
        """Note what one user's events changed."""
        if change.new or change.left:
            before = within_reach(change.before, change.left, self._window)
            self._histories += before
            self._histories += change.new
            self._sizes.append((len(before), len(change.new), change.left))
        self._rated += change.rated
        if change.touched:
            self._touched += change.touched
            if segment:
                self._segments.update((segment, item) for item in change.touched)

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """(item partition, packed message) for all that was added; forgets it."""
        histories, sizes, touched, segments = self._histories, self._sizes, self._touched, self._segments
        self._histories, self._sizes, self._touched, self._segments = [], [], [], Counter()
        rated, self._rated = self._rated, []
        if not (sizes or touched or rated):
            return
        numbers, names = self._items.numbers, self._items.ids
        sequences = sequences_of(numbers(histories), sizes)
        parts = [sequences.items, numbers(touched), numbers([item for item, _, _ in rated])]
        every, place = np.unique(np.concatenate(parts), return_inverse=True)
        of_histories, of_touched, of_rated = np.split(place, np.cumsum([len(part) for part in parts[:2]]))
        local = Sequences(of_histories, sequences.starts, sequences.old, sequences.left)
        pairs, users = pair_changes(local, len(every), self._window)
        popularity = np.bincount(of_touched, minlength=len(every))
        ratings = np.zeros((2, len(every)), np.int64)
        if rated:
            np.add.at(ratings.T, of_rated, np.array([change for _, *change in rated], np.int64))
        by_item: dict[str, list[tuple[str, int]]] = {}
        for (segment, item), count in segments.items():
            by_item.setdefault(item, []).append((segment, count))
        lengths = np.diff(pairs.indptr)
        changed = np.flatnonzero((lengths > 0) | (users != 0) | (popularity > 0) | ratings.any(axis=0))
        partition = self._item_partitions()[every[changed]]
        counts = _Counts(pairs, names, every, users, popularity, (ratings[0], ratings[1]), by_item)
        for target in range(self._partitions):
            rows = changed[partition == target]
            events = len(touched)
            for part in _cut(lengths[rows], rows):
                if len(part) or events:  # without rows it still moves the clock
                    cut = _messages(events, part, *entries_of(pairs.indptr, part), counts)
                    yield from ((target, message) for message in cut)
                events = 0  # the clock moves once for each batch, whatever the number of messages

    def _item_partitions(self) -> Ints:
        """Partition of every known item, int64 [n]."""
        known = len(self._partition_of)
        if known < len(self._items):
            fresh = partitions_of([item.encode() for item in self._items.ids[known:]], self._partitions)
            self._partition_of = np.concatenate([self._partition_of, fresh])
        return self._partition_of


def _cut(lengths: Ints, rows: Ints) -> Iterator[Ints]:
    """Rows in runs of at most `MOST_ENTRIES` changed co-counts and at least one row; one empty run if there is none."""
    before = np.cumsum(lengths)
    if not len(rows) or before[-1] < MOST_ENTRIES:
        yield rows
        return
    yield from np.split(rows, np.flatnonzero(np.diff(before // MOST_ENTRIES)) + 1)


def _messages(events: int, rows: Ints, lengths: Ints, entries: Ints, counts: _Counts) -> Iterator[bytes]:
    """Rows, with how many co-counts of each and their places, in one message, or in halves if it would be too long."""
    message = _pack(events, rows, lengths, entries, counts)
    if len(message) <= MOST_BYTES or max(len(rows), len(entries)) < 2:
        yield message
    elif len(rows) > 1:
        half = len(rows) // 2
        split = int(lengths[:half].sum())
        yield from _messages(events, rows[:half], lengths[:half], entries[:split], counts)
        yield from _messages(0, rows[half:], lengths[half:], entries[split:], counts)
    else:
        split = len(entries) // 2
        for part in (entries[:split], entries[split:]):
            yield from _messages(events, rows, np.array([len(part)]), part, counts)
            events, counts = 0, counts.told()


def _pack(events: int, rows: Ints, lengths: Ints, entries: Ints, counts: _Counts) -> bytes:
    names, numbers, by_item = counts.names, counts.numbers, counts.by_item
    cols = counts.pairs.indices[entries]
    occurs = np.zeros(len(numbers), bool)
    occurs[rows] = occurs[cols] = True
    used = np.flatnonzero(occurs)
    place = np.cumsum(occurs) - 1
    g, c = unpack_counts(counts.pairs.data[entries])
    segments: dict[str, tuple[list[int], list[int]]] = {}
    if by_item:
        for row, number in enumerate(numbers[rows].tolist()):
            for segment, count in by_item.get(names[number], ()):
                places, events_of = segments.setdefault(segment, ([], []))
                places.append(row)
                events_of.append(count)
    sums, raters = counts.ratings[0][rows], counts.ratings[1][rows]
    rated = np.flatnonzero((sums != 0) | (raters != 0))
    return CO_COUNTS.write(
        CoCounts(
            events,
            list(map(names.__getitem__, numbers[used].tolist())),
            pack_ints(place[rows]),
            pack_ints(lengths),
            pack_ints(place[cols]),
            pack_ints(g),
            pack_ints(c),
            pack_ints(counts.users[rows]),
            pack_ints(counts.popularity[rows]),
            {
                segment: (pack_ints(np.array(places)), pack_ints(np.array(events_of)))
                for segment, (places, events_of) in segments.items()
            },
            (pack_ints(rated), pack_ints(sums[rated]), pack_ints(raters[rated])) if len(rated) else None,
        )
    )
