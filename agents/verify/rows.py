"""One item partition: its rows against the changes that were sent to it, and against the histories of all users.

cooccurrence ──┤ to the rows' cut ├──► sums ── compared with rows
               rows ± the changes between their cut and x ── compared with the histories at x   (see `moment.py`)
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.checks import read_co_counts, read_row_body
from agents.cuts import Places
from agents.errors import RecordError
from agents.packed import ROW_HEAD, CoCounts, RowHead, unpack_ints
from agents.settings import MOST_ROW_NEIGHBOURS, Settings
from agents.topics import Topics
from agents.verify.moment import Moment, later
from agents.verify.neighbours import check_neighbours
from agents.verify.reading import Reader
from agents.verify.report import Kind, PartReport
from agents.verify.sealed import SealedLog
from agents.verify.table import HistorySums
from models.checksums import RowSums

TOLERANCE = 1e-6
SHORTEST_CUT_SHARE = 0.5
"""A row may have been cut to its strongest neighbours if it still has so large a share of the most it may keep."""

_COMPARED = {"users": "users", "sums": "sum", "rating_sums": "ratings, in thousandths", "raters": "raters"}
"""Of `RowSums`: what is compared as it is, and how it is called."""

Numbers = NDArray[np.int64]


def _wide(packed: bytes) -> Numbers:
    return unpack_ints(packed).astype(np.int64)


@dataclass
class ItemRow:
    """One row as found; `cols` are numbers of the auditor's own numbering."""

    number: int
    head: RowHead
    cols: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    g: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    c: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass
class ItemPartition:
    """The audit of one partition; `run` is all there is to call."""

    reader: Reader
    settings: Settings
    topics: Topics
    partition: int
    moment: Moment
    histories: HistorySums
    """Complete: all user partitions were read."""
    at_rest: bool

    def run(self) -> PartReport:
        """Read, sum up, compare."""
        self._report = PartReport("items", self.partition)
        topic = self.topics.neighbours
        published_before = self.reader.stable_end(topic, self.partition)
        committed = self.reader.stable_offsets("similarity", [self.topics.cooccurrence])[self.partition]
        rows = self._read_rows(committed)
        found = RowSums(self.histories.hashes)
        for row in rows.values():
            found.add_counts(np.full(len(row.cols), row.number), row.cols, row.g, row.c)
        cut = np.array([row.number for row in rows.values() if self._was_cut(row)], np.int64)
        self._set_heads(found, rows)
        self._report.add("rows", len(rows))
        self._report.add("co-counts", sum(len(row.cols) for row in rows.values()))
        if len(cut):
            self._report.add("rows cut to their strongest neighbours: only their sums are compared", len(cut))
        self._changes(found, rows, cut)
        check_neighbours(
            self.reader, self.settings, topic, self.partition, published_before, rows, self.histories, self._report,
            self.at_rest,
        )  # fmt: skip
        return self._report

    def _read_rows(self, committed: Places) -> dict[str, ItemRow]:
        """Rows by item as of the cut."""
        log, values = SealedLog(self.reader, self.topics.item_rows_changelog, self.partition), dict[bytes, bytes]()
        for pending in log.transactions():
            for key, _, value in pending:
                if value is None:
                    values.pop(key, None)
                else:
                    values[key] = value
        log.check(values, self._report)
        sources = log.seal.sources if log.seal is not None else {}
        cut = {topic: absorbed.next_offset for topic, absorbed in sources.items()}
        self._report.cut = later(cut, committed)
        return self._decode(values)

    def _decode(self, values: dict[bytes, bytes]) -> dict[str, ItemRow]:
        names = {key[1:]: value.decode(errors="replace") for key, value in values.items() if key[:1] == b"d"}
        size = 1 + max((int.from_bytes(number, "big") for number in names), default=-1)
        number_of = np.full(size, -1, np.int64)
        for number, name in names.items():
            number_of[int.from_bytes(number, "big")] = self.histories.items.number(name)
        rows: dict[str, ItemRow] = {}
        for key, value in values.items():
            if key[:1] not in (b"h", b"b"):
                continue
            name = names.get(key[1:], "")
            try:
                row = rows.setdefault(name, ItemRow(self.histories.items.number(name), RowHead()))
                if key[:1] == b"h":
                    row.head = ROW_HEAD.read(value)
                else:
                    steps, g, c = read_row_body(value)
                    row.cols = number_of[np.cumsum(steps, dtype=np.int64)]
                    row.g, row.c = g.astype(np.int64), c.astype(np.int64)
            except (RecordError, IndexError):
                self._report.differs("row unreadable", name or key.hex())
        return rows

    def _was_cut(self, row: ItemRow) -> bool:
        most = self.settings.row_neighbours or MOST_ROW_NEIGHBOURS
        return len(row.cols) >= most * SHORTEST_CUT_SHARE and int(row.c.sum()) != row.head.c_sum

    @staticmethod
    def _set_heads(sums: RowSums, rows: dict[str, ItemRow]) -> None:
        """Users, sums and ratings are the heads': they are kept exactly also where a row was cut."""
        sums.grow()
        for row in rows.values():
            sums.users[row.number] = row.head.users
            sums.sums[row.number] = row.head.c_sum
            sums.rating_sums[row.number] = row.head.rating_sum
            sums.raters[row.number] = row.head.raters

    def _changes(self, found: RowSums, rows: dict[str, ItemRow], cut: Numbers) -> None:
        """Compare the rows with all changes; then move them to x and compare them with the histories."""
        topic, q = self.topics.cooccurrence, self.partition
        at, x = self._report.cut.get(topic.name, 0), self.moment.crossing[q]
        begin = self.reader.start(topic, q)
        whole = begin == 0
        sums, moved = RowSums(self.histories.hashes), RowSums(self.histories.hashes)
        popularity = Popularity(self.settings.popularity_half_life)
        first = 0 if whole else max(begin, min(at, x))
        for record in self.reader.read(topic, q, first, max(at, x)):
            try:
                change = read_co_counts(record.value or b"")
            except RecordError:
                continue  # a dead letter
            if record.offset < at:
                self._add(sums, change)
                popularity.add(change)
            if min(at, x) <= record.offset < max(at, x):
                self._add(moved, change, 1 if at < x else -1)
        self._report.add("messages", at if whole else at - begin)
        if whole:
            self._differ("item row differs from cooccurrence", found, sums, cut)
            popularity.check(rows, self._report)
        else:
            self._report.notes.append(f"{topic.name} begins at {begin}: rows are only compared with the histories")
        if q in self.moment.unmarked:
            self._report.notes.append("co-count changes of an older version name no cut: histories are not compared")
        elif begin > min(at, x):
            self._report.notes.append(f"{topic.name} was deleted before it was absorbed: histories are not compared")
        else:
            found.add(moved)
            self._differ("item row differs from histories", found, self.histories.sums, cut)

    def _add(self, sums: RowSums, change: CoCounts, sign: int = 1) -> None:
        numbers = self.histories.items.numbers(change.ids)
        mine = numbers[_wide(change.rows)]
        rows = np.repeat(mine, _wide(change.lengths))
        sums.add_counts(rows, numbers[_wide(change.cols)], _wide(change.g), _wide(change.c), sign)
        np.add.at(sums.users, mine, sign * _wide(change.users))
        if change.ratings is not None:
            rated, rating_sums, raters = map(_wide, change.ratings)
            sums.add_ratings(mine[rated], rating_sums, raters, sign)

    def _differ(self, kind: Kind, found: RowSums, expected: RowSums, cut: Numbers) -> None:
        """Name the items of this partition whose rows differ."""
        found.grow()
        expected.grow()
        mine = self.histories.of_partitions([self.partition])
        checksums = found.checksums[mine] != expected.checksums[mine]
        checksums &= ~np.isin(mine, cut)
        numbers = {name: (getattr(found, name), getattr(expected, name)) for name in _COMPARED}
        other = np.any([held[mine] != recomputed[mine] for held, recomputed in numbers.values()], axis=0)
        for place in np.flatnonzero(checksums | other).tolist():
            number = mine[place]
            detail = "; ".join(
                f"{_COMPARED[name]} {held[number]}, recomputed {recomputed[number]}"
                for name, (held, recomputed) in numbers.items()
            )
            self._report.differs(kind, self.histories.items.ids[number], detail)
        self._report.add(f"rows compared with {kind.rpartition(' ')[2]}", len(mine))


class Popularity:
    """Counts of events by item, plain and faded, message by message."""

    def __init__(self, half_life: float) -> None:
        self._half_life = half_life
        self._clock = 0
        self._items: dict[str, tuple[int, float, int]] = {}
        """item → events, faded count, its clock"""

    def add(self, change: CoCounts) -> None:
        """One message."""
        self._clock += change.events
        for place, count in zip(_wide(change.rows).tolist(), _wide(change.popularity).tolist(), strict=True):
            item = change.ids[place]
            events, faded, clock = self._items.get(item, (0, 0.0, 0))
            faded = float(faded * 2 ** ((clock - self._clock) / self._half_life)) + count
            self._items[item] = (events + count, faded, self._clock)

    def check(self, rows: dict[str, ItemRow], report: PartReport) -> None:
        """Compare with the rows."""
        for item in {**rows, **self._items}:
            head = rows[item].head if item in rows else RowHead()
            events, faded, clock = self._items.get(item, (0, 0.0, head.clock))
            close = abs(head.popularity - faded) <= TOLERANCE * max(faded, 1.0)
            if (head.events, head.clock) != (events, clock) or not close:
                detail = (
                    f"events {head.events}, recomputed {events}; popularity {head.popularity:g}, recomputed {faded:g}"
                )
                report.differs("item row differs from cooccurrence", item, detail)
