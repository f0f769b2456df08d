"""The similarity agent on its table: what it loads, keeps, publishes and puts aside."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from faust.types import TP

from agents import similarity
from agents.cooccurrence import CoCountsWriter
from agents.item_rows import SEGMENTS_KEPT, PartitionRows
from agents.packed import CO_COUNTS, NEIGHBOURS, ROW_BODY, CoCounts, pack_ints, unpack_ints
from agents.runtime.batch import Batch, Record
from agents.runtime.metrics import Metrics
from agents.runtime.table import Table
from agents.runtime.transaction import Transaction
from agents.settings import Settings, read_settings
from agents.similarity import SimilarityAgent
from models.interning import Interner
from models.profile import HistoryChange
from models.similarity import CAP_SLACK
from tests.agents.runtime.test_positions import Rec
from tests.agents.test_intake import NOW_MS, Sent


def change(*histories: Sequence[str], forget: bool = False) -> list[HistoryChange]:
    """What these histories add, or take away when they are forgotten."""
    if forget:
        return [HistoryChange(before=list(history), left=len(history)) for history in histories]
    return [HistoryChange(new=list(history), touched=list(history)) for history in histories]


class Running:
    """An agent that owns all partitions, and what it sent."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.settings: Settings = read_settings(**options)
        self.agent, self.sent = SimilarityAgent(self.settings), Sent()
        self.table = Table(folder, "changelog")
        self.partitions = frozenset(range(self.settings.item_partitions))
        self.table.open(self.partitions)
        self.agent.assigned(self.partitions, self.table)
        self.writer = CoCountsWriter(Interner(), self.settings.item_partitions, window=50)
        self.offsets = 0

    def absorb(self, *changes: HistoryChange, more: Sequence[Record] = (), seconds: float = 0.0) -> Transaction:
        """One batch; rows reach the table as after a commit."""
        for one in changes:
            self.writer.add(one, "")
        runs: dict[TP, list[Record]] = {}
        for partition, value in self.writer.messages():
            runs.setdefault(TP("cooccurrence", partition), []).append(self.record(partition, value))
        for record in more:
            runs.setdefault(TP(record.topic, record.partition), []).append(record)
        producer: Any = self.sent
        now_ms = NOW_MS + int(seconds * 1000)
        transaction = Transaction(producer, self.table, ("dead-letters", 4), Metrics(), now_ms)
        self.agent.absorb(Batch(runs), transaction)
        for partition, rows in transaction._rows.items():
            self.table.write(partition, rows, self.offsets, now_ms)
        return transaction

    def record(self, partition: int, value: bytes) -> Rec:
        self.offsets += 1
        return Rec("cooccurrence", partition, self.offsets, NOW_MS, None, value)

    def bodies(self) -> dict[tuple[int, bytes], bytes]:
        return {
            (partition, key): value for partition in self.partitions for key, value in self.table.scan(partition, b"b")
        }

    def ratings(self) -> dict[str, tuple[int, int]]:
        """Of each item what was published last."""
        rows = {
            (key or b"").decode(): NEIGHBOURS.read(value or b"")
            for topic, _, key, value, *_ in self.sent.records
            if topic == "neighbours"
        }
        return {item: (row.rating_sum, row.raters) for item, row in rows.items()}

    def published(self) -> Counter[int]:
        return Counter(partition for topic, partition, *_ in self.sent.records if topic == "neighbours")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path, item_partitions=1)
    yield made
    made.table.close()


class Loaded(Table):
    """A table that notes which rows were scanned."""

    scanned: list[bytes]

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in super().scan(partition, prefix):
            self.scanned.append(key)
            yield key, value


def test_a_rebalance_loads_all_but_the_co_counts(running: Running, tmp_path: Path) -> None:
    running.absorb(*change("abc", "bcd"))
    running.table.close()
    table = Loaded(tmp_path, "changelog")
    table.scanned = []
    table.open(running.partitions)
    running.agent.assigned(running.partitions, table)
    assert {key[:1] for key in table.scanned} == {b"m", b"d", b"h"}
    assert running.agent.pending()
    running.table = table
    running.absorb(*change("ab"))
    assert running.bodies()


def test_a_row_without_co_counts_is_deleted(running: Running) -> None:
    running.absorb(*change("ab", "bc"))
    assert len(running.bodies()) == 3
    running.absorb(*change("ab", forget=True))
    assert len(running.bodies()) == 2
    running.absorb(*change("bc", forget=True))
    assert running.bodies() == {}
    running.absorb(*change("ab"))
    assert len(running.bodies()) == 2


def test_ratings_of_histories_are_summed_up_and_published(running: Running) -> None:
    rated, again, gone = change("ab", "a")[0], HistoryChange(touched=["a"]), change("ab", forget=True)[0]
    rated.rated, again.rated = [("a", 4_000, 1), ("b", 1_000, 1)], [("a", -4_000, -1), ("a", 2_500, 1)]
    running.absorb(rated)
    assert running.ratings() == {"a": (4_000, 1), "b": (1_000, 1)}
    running.absorb(again)
    assert running.ratings() == {"a": (2_500, 1), "b": (1_000, 1)}
    running.agent.assigned(running.partitions, running.table)  # as after a rebalance
    running.absorb(again)
    assert running.ratings()["a"] == (1_000, 1)
    gone.rated = [("a", -1_000, -1), ("b", -1_000, -1)]
    running.absorb(gone)
    assert running.ratings() == {"a": (0, 0), "b": (0, 0)}


def test_every_partition_has_the_same_share_of_the_budget(tmp_path: Path) -> None:
    made = Running(tmp_path, item_partitions=4, rows_published_per_s=8)
    made.absorb(*change([str(item) for item in range(80)]))
    assert made.published() == dict.fromkeys(range(4), 2)
    made.table.close()


def test_partitions_take_turns_where_the_budget_is_too_small_for_all(tmp_path: Path) -> None:
    made = Running(tmp_path, item_partitions=10, rows_published_per_s=1)
    made.absorb(*change([str(item) for item in range(100)]))
    for second in range(1, 10):
        made.absorb(seconds=second)
    assert made.published() == dict.fromkeys(range(10), 1)
    made.table.close()


def test_a_damaged_message_becomes_a_dead_letter_and_the_others_count(running: Running) -> None:
    good = CO_COUNTS.read(one(running, *change("ab")))
    for damage in ({"g": b"\x07\x00"}, {"cols": b""}, {"rows": pack_ints(np.array([0, 9]))}):
        bad = running.record(0, CO_COUNTS.write(msgspec.structs.replace(good, **damage)))
        running.absorb(more=[bad])
    assert running.sent.reasons() == ["bad_packed"] * 3
    assert running.bodies() == {}
    running.absorb(more=[running.record(0, CO_COUNTS.write(good))])
    assert len(running.bodies()) == 2


def one(running: Running, *changes: HistoryChange) -> bytes:
    for each in changes:
        running.writer.add(each, "")
    ((_, message),) = running.writer.messages()
    return message


def test_a_row_is_cut_to_what_a_message_holds_although_all_neighbours_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "MOST_ROW_NEIGHBOURS", 4)
    made = Running(tmp_path, item_partitions=1, row_neighbours=0)
    made.absorb(*change([str(item) for item in range(20)]))
    lengths = [len(unpack_ints(ROW_BODY.read(value).cols)) for value in made.bodies().values()]
    assert lengths == [4] * 20
    made.table.close()


def test_an_item_keeps_the_segments_that_weigh_most() -> None:
    rows, places = PartitionRows([], half_life=1e9), pack_ints(np.array([0]))
    for number in range(3 * SEGMENTS_KEPT):
        segments = {f"age={number}": (places, places), "common": (places, pack_ints(np.array([5])))}
        no_pairs = (pack_ints(np.array([0])), b"\x01", b"\x01", b"\x01")
        message = CoCounts(1, ["a"], places, *no_pairs, places, places, segments)
        rows.absorb([message], lambda keys: [None] * len(keys), lambda *_: None, lambda _rows, _numbers, bodies: bodies)
    assert len(rows.segments[0]) <= SEGMENTS_KEPT * CAP_SLACK
    assert rows.segments[0]["common"][0] == pytest.approx(5 * 3 * SEGMENTS_KEPT)
