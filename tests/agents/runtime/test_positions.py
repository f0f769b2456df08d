"""Which fetched records are absorbed.

epoch 0   lose_all → 1   own {a: 5}   take ≥ 5   take again: only what is new   lose_all → 2   nothing
"""

from dataclasses import dataclass

from faust.types import TP

from agents.runtime.batch import Batch
from agents.runtime.positions import Positions

A, B = TP("events", 0), TP("users", 0)


@dataclass(frozen=True)
class Rec:
    topic: str
    partition: int
    offset: int
    timestamp: int = 0
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: tuple[tuple[str, bytes], ...] = ()


def run(tp: TP, *offsets: int) -> list[Rec]:
    return [Rec(tp.topic, tp.partition, offset) for offset in offsets]


def offsets(runs: object) -> dict[TP, list[int]]:
    return {tp: [record.offset for record in records] for tp, records in runs.items()}  # type: ignore[attr-defined]


def test_nothing_is_taken_of_partitions_that_are_not_owned() -> None:
    positions = Positions()
    positions.own({A: 0})
    assert offsets(positions.take(0, {A: run(A, 0, 1), B: run(B, 0)})) == {A: [0, 1]}


def test_a_run_that_is_delivered_twice_is_taken_once() -> None:
    positions = Positions()
    positions.own({A: 5})
    assert offsets(positions.take(0, {A: run(A, 3, 4, 5, 6)})) == {A: [5, 6]}
    assert offsets(positions.take(0, {A: run(A, 5, 6, 9)})) == {A: [9]}
    assert offsets(positions.take(0, {A: run(A, 5, 6)})) == {}
    assert positions.owned() == {A: 10}


def test_a_fetch_made_before_a_rebalance_is_void() -> None:
    positions = Positions()
    positions.own({A: 0})
    fetched_in = positions.epoch
    positions.lose_all()
    assert positions.owned() == {}
    positions.own({A: 0})
    assert offsets(positions.take(fetched_in, {A: run(A, 0)})) == {}
    assert offsets(positions.take(positions.epoch, {A: run(A, 0)})) == {A: [0]}


def test_a_batch_knows_its_starts_and_ends_and_its_records_by_topic() -> None:
    batch = Batch({A: run(A, 3, 7), B: run(B, 1)})
    assert batch.starts() == {A: 3, B: 1}
    assert batch.ends() == {A: 8, B: 2}
    assert len(batch) == 3
    assert [(partition, len(records)) for partition, records in batch.of("users")] == [(0, 1)]
