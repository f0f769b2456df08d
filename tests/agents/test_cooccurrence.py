"""Messages of co-counts: together they say what changed, each fits, and none is empty."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from agents import cooccurrence
from agents.checks import read_co_counts
from agents.cooccurrence import CoCountsWriter
from agents.packed import CoCounts, pack_ints, unpack_ints
from models.interning import Interner
from models.pair_sums import pair_sums
from models.profile import HistoryChange

WINDOW = 50
NOTHING = pack_ints(np.zeros(0, np.int64))


class Told:
    """The sum of messages."""

    def __init__(self, writer: CoCountsWriter) -> None:
        self.g, self.users, self.popularity = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
        self.ratings = Counter[tuple[str, str]]()
        self.segments, self.clocks = Counter[tuple[str, str]](), Counter[int]()
        self.sizes: list[int] = []
        for partition, message in writer.messages():
            self.sizes.append(len(message))
            self._add(partition, message)

    def _add(self, partition: int, message: bytes) -> None:
        change = read_co_counts(message)
        self.clocks[partition] += change.events
        rows = [change.ids[place] for place in unpack_ints(change.rows).tolist()]
        of_entries = np.repeat(np.arange(len(rows)), unpack_ints(change.lengths)).tolist()
        for row, col, g in zip(
            of_entries, unpack_ints(change.cols).tolist(), unpack_ints(change.g).tolist(), strict=True
        ):
            self.g[rows[row], change.ids[col]] += g
        self.users.update(dict(zip(rows, unpack_ints(change.users).tolist(), strict=True)))
        self.popularity.update(dict(zip(rows, unpack_ints(change.popularity).tolist(), strict=True)))
        for name, place, value in _ratings(change):
            self.ratings[name, rows[place]] += value
        for segment, (places, events) in change.segments.items():
            for place, count in zip(unpack_ints(places).tolist(), unpack_ints(events).tolist(), strict=True):
                self.segments[segment, rows[place]] += count


def _ratings(change: CoCounts) -> Iterator[tuple[str, int, int]]:
    """("sum" or "raters", row, change)"""
    places, sums, raters = map(unpack_ints, change.ratings or (NOTHING,) * 3)
    for name, values in (("sum", sums), ("raters", raters)):
        yield from ((name, place, value) for place, value in zip(places.tolist(), values.tolist(), strict=True))


def written(changes: list[HistoryChange], segment: str = "") -> Told:
    writer = CoCountsWriter(Interner(), 2, WINDOW)
    for change in changes:
        writer.add(change, segment)
    return Told(writer)


def came(*items: str) -> HistoryChange:
    return HistoryChange(new=list(items), touched=list(items))


def test_messages_that_would_be_too_long_are_cut_also_within_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [came("hot", *(f"{user}-{item}" for item in range(9))) for user in range(40)]
    changes[3].rated = [("hot", 4_000, 1), ("3-0", 2_500, 1)]
    changes[4].rated = [("hot", 1_000, 1)]
    whole = written(changes, "age=30")
    monkeypatch.setattr(cooccurrence, "MOST_BYTES", 700)
    parts = written(changes, "age=30")
    assert max(parts.sizes) <= 700
    assert len(parts.sizes) > len(whole.sizes) == 2
    assert whole.ratings == {("sum", "hot"): 5_000, ("raters", "hot"): 2, ("sum", "3-0"): 2_500, ("raters", "3-0"): 1}
    for name in ("g", "users", "popularity", "segments", "clocks", "ratings"):
        assert getattr(parts, name) == getattr(whole, name)


def test_long_ids_do_not_make_long_messages() -> None:
    told = written([came("hot", *(f"{user}-{item}".rjust(250, "x") for item in range(49))) for user in range(200)])
    assert max(told.sizes) <= cooccurrence.MOST_BYTES
    assert sum(count for (row, _), count in told.g.items() if row == "hot") == 200 * 49


def test_the_clock_moves_in_every_partition_and_nothing_else_is_sent_for_nothing() -> None:
    writer = CoCountsWriter(Interner(), 2, WINDOW)
    writer.add(came("a"), "")
    assert Told(writer).clocks == {0: 1, 1: 1}
    writer.add(HistoryChange(before=["a"], left=1), "")
    told = Told(writer)
    assert (len(told.sizes), told.users) == (1, {"a": -1})
    writer.add(HistoryChange(before=[], left=0), "")
    assert Told(writer).sizes == []


def test_the_first_batch_waits_for_no_compiler() -> None:
    writer = CoCountsWriter(Interner(), 1, WINDOW)
    for new in (["a", "b"], ["b", "c"]):
        writer.add(HistoryChange([], new, 0, new), "")
    assert list(writer.messages())
    assert len(pair_sums.signatures) == 1  # type: ignore[attr-defined]
