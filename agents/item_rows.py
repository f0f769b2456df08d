"""The item rows of one partition: their dictionary, norms and popularity in memory, their co-counts in the table.

Keys of the table (numbers big-endian, 4 bytes, of the partition's own dictionary):

    d<number> → item id       h<number> → RowHead       b<number> → RowBody       m → event count (the clock)
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from agents.checks import read_row_body
from agents.packed import ROW_BODY, ROW_HEAD, CoCounts, RowBody, RowHead, pack_ints, unpack_ints
from models.cooccurrence import Ints, pack_counts, unpack_counts
from models.interning import Interner
from models.popularity import fade, fade_one
from models.similarity import CAP_SLACK, CsrRows, row_matrix, sum_changes

CLOCK_KEY = b"m"
LOADED = (CLOCK_KEY, b"d", b"h")
"""Prefixes of the keys that are kept in memory."""
_OF_HEADS = ("users", "sums", "events", "popularity", "clocks", "dirty", "published", "rating_sums", "raters")
"""Arrays that are written as heads, in the order of `RowHead`; its segments come after the clock."""
SEGMENTS_KEPT = 500
"""Segments in which an item's popularity is known: with very many values a row would outgrow a message."""
Read = Callable[[Sequence[bytes]], list[bytes | None]]
Write = Callable[[bytes, bytes | None], None]
Cut = Callable[["PartitionRows", Ints, CsrRows], CsrRows]


def row_key(kind: bytes, number: int) -> bytes:
    """Key of a table row; kind is b"d", b"h" or b"b"."""
    return kind + number.to_bytes(4, "big")


class PartitionRows:
    """State of one item partition. Arrays are indexed by the partition's item numbers."""

    def __init__(self, scanned: Iterable[tuple[bytes, bytes]], half_life: float) -> None:
        self._half_life = half_life
        self.clock = 0.0
        self._turn = 0
        self.users = np.zeros(0, np.int64)
        self.sums = np.zeros(0, np.int64)
        self.events = np.zeros(0, np.int64)
        self.rating_sums = np.zeros(0, np.int64)
        self.raters = np.zeros(0, np.int64)
        self.popularity = np.zeros(0)
        self.clocks = np.zeros(0)
        self.own = np.zeros(0, bool)
        """Rows that belong to this partition; the others are known as neighbours only."""
        self.dirty = np.zeros(0, bool)
        self.stale = np.zeros(0, bool)
        """Rows whose weights may be old because the norm of a neighbour changed."""
        self.published = np.zeros(0, np.int64)
        self.segments: dict[int, dict[str, tuple[float, float]]] = {}
        names: dict[int, str] = {}
        heads: list[tuple[int, bytes]] = []
        for key, value in scanned:
            if key == CLOCK_KEY:
                self.clock = float(value)
            elif key[:1] == b"d":
                names[int.from_bytes(key[1:], "big")] = value.decode()
            elif key[:1] == b"h":
                heads.append((int.from_bytes(key[1:], "big"), value))
        self.items = Interner([names[number] for number in range(len(names))])
        self._grow()
        for number, value in heads:
            self._load(number, ROW_HEAD.read(value))

    def _load(self, number: int, head: RowHead) -> None:
        self.own[number] = self.stale[number] = True
        self.users[number], self.sums[number], self.events[number] = head.users, head.c_sum, head.events
        self.popularity[number], self.clocks[number] = head.popularity, head.clock
        self.dirty[number], self.published[number] = head.dirty, head.published
        self.rating_sums[number], self.raters[number] = head.rating_sum, head.raters
        if head.segments:
            self.segments[number] = dict(head.segments)

    def _grow(self) -> None:
        """Room for every known item; doubles, so that it is seldom."""
        if len(self.users) < len(self.items):
            more = max(1024, len(self.items), 2 * len(self.users)) - len(self.users)
            for name in (*_OF_HEADS, "own", "stale"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros(more, old.dtype)]))

    def next_of(self, mask: NDArray[np.bool_], most: int) -> Ints:
        """Up to `most` rows of a mask, going on where the last call ended, so that each has its turn."""
        numbers = np.flatnonzero(mask)
        if len(numbers) > most:
            numbers = np.roll(numbers, -int(np.searchsorted(numbers, self._turn)))[:most]
            self._turn = int(numbers[-1]) + 1 if len(numbers) else self._turn
        return numbers

    def absorb(self, changes: Sequence[CoCounts], read: Read, write: Write, cut: Cut) -> Ints:
        """Add changes to the rows and cut those that grew too long. Returns the numbers of changed rows, ascending."""
        known = len(self.items)
        rows, cols, packed, touched_rows = [], [], [], []
        for change in changes:
            numbers = self.items.numbers(change.ids)
            self._grow()
            mine = numbers[unpack_ints(change.rows)]
            touched_rows.append(mine)
            rows.append(np.repeat(mine, unpack_ints(change.lengths)))
            cols.append(numbers[unpack_ints(change.cols)])
            packed.append(pack_counts(unpack_ints(change.g), unpack_ints(change.c)))
            self.clock += change.events
            self._count(change, mine)
        if not touched_rows:
            return np.zeros(0, np.int64)
        touched = np.unique(np.concatenate(touched_rows))
        self.own[touched] = self.dirty[touched] = True
        self.stale[self.own] = True
        size = len(self.items)
        with_pairs, delta = sum_changes(np.concatenate(rows), np.concatenate(cols), np.concatenate(packed), size)
        if len(with_pairs):
            self.sums[with_pairs] += unpack_counts(np.asarray(delta.sum(axis=1)).ravel())[1]
            self.write_bodies(with_pairs, cut(self, with_pairs, self.read_bodies(with_pairs, read) + delta), write)
        for number in range(known, size):
            write(row_key(b"d", number), self.items.ids[number].encode())
        write(CLOCK_KEY, repr(self.clock).encode())
        return touched

    def _count(self, change: CoCounts, mine: Ints) -> None:
        """Users and popularity of the rows of one message, as of the clock after it."""
        self.users[mine] += unpack_ints(change.users)
        counts = unpack_ints(change.popularity)
        self.events[mine] += counts
        self.popularity[mine] = fade(self.popularity[mine], self.clocks[mine], self.clock, self._half_life) + counts
        self.clocks[mine] = self.clock
        if change.ratings is not None:
            rated, sums, raters = map(unpack_ints, change.ratings)
            self.rating_sums[mine[rated]] += sums
            self.raters[mine[rated]] += raters
        for segment, (places, events) in change.segments.items():
            for number, count in zip(mine[unpack_ints(places)].tolist(), unpack_ints(events).tolist(), strict=True):
                of_item = self.segments.setdefault(number, {})
                value, clock = of_item.get(segment, (0.0, self.clock))
                of_item[segment] = (fade_one(value, clock, self.clock, self._half_life) + count, self.clock)
                if len(of_item) > SEGMENTS_KEPT * CAP_SLACK:
                    self.segments[number] = self._strongest(of_item)

    def _strongest(self, of_item: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        """The segments that weigh most now."""
        faded = {name: fade_one(*of_item[name], self.clock, self._half_life) for name in of_item}
        kept = sorted(of_item, key=lambda name: (-faded[name], name))[:SEGMENTS_KEPT]
        return {name: of_item[name] for name in kept}

    def read_bodies(self, numbers: Ints, read: Read) -> CsrRows:
        """Co-counts of rows, CSR of packed counts, int64 [len(numbers) × items]."""
        cols, packed = [], []
        nothing = np.zeros(0, np.int64)
        for value in read([row_key(b"b", number) for number in numbers.tolist()]):
            if value is None:
                cols.append(nothing)
                packed.append(nothing)
                continue
            steps, g, c = read_row_body(value)
            cols.append(np.cumsum(steps, dtype=np.int64))
            packed.append(pack_counts(g, c))
        return row_matrix(cols, packed, len(self.items))

    def write_bodies(self, numbers: Ints, rows: CsrRows, write: Write) -> None:
        """Store rows given as `read_bodies` returns them; one without co-counts is deleted."""
        g, c = unpack_counts(rows.data)
        columns = rows.indices.astype(np.int64)
        steps = columns - np.concatenate([columns[:1], columns[:-1]])
        begins = rows.indptr[:-1][np.diff(rows.indptr) > 0]
        steps[begins] = columns[begins]
        ends = rows.indptr.tolist()
        for place, number in enumerate(numbers.tolist()):
            part = slice(ends[place], ends[place + 1])
            body = RowBody(pack_ints(steps[part]), pack_ints(g[part]), pack_ints(c[part]))
            write(row_key(b"b", number), ROW_BODY.write(body) if part.start < part.stop else None)

    def write_heads(self, numbers: Ints, write: Write) -> None:
        """Store norms, popularity and flags of rows."""
        columns = [getattr(self, name)[numbers].tolist() for name in _OF_HEADS]
        for number, users, sums, events, popularity, clock, *rest in zip(numbers.tolist(), *columns, strict=True):
            head = RowHead(users, sums, events, popularity, clock, self.segments.get(number, {}), *rest)
            write(row_key(b"h", number), ROW_HEAD.write(head))
