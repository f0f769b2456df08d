"""Fetches are gathered until they are old or many."""

from agents.runtime import gather
from agents.runtime.gather import Gatherer
from tests.agents.runtime.test_positions import A, B, Rec, run


def test_due_when_the_oldest_is_old_enough() -> None:
    gathered = Gatherer(wait_s=2.0, most_records=100)
    assert not gathered.due(now=9.0)
    gathered.add({A: run(A, 0)}, now=10.0)
    gathered.add({A: run(A, 1), B: run(B, 0)}, now=11.5)
    assert not gathered.due(now=11.9)
    assert gathered.due(now=12.0)
    assert gathered.take().ends() == {A: 2, B: 1}
    assert not gathered.due(now=99.0)


def test_due_at_once_without_a_wait_but_not_for_nothing() -> None:
    gathered = Gatherer(wait_s=0.0, most_records=100)
    gathered.add({}, now=1.0)
    assert not gathered.due(now=1.0)
    gathered.add({A: run(A, 0)}, now=1.0)
    assert gathered.due(now=1.0)


def test_due_when_there_are_many_records_or_bytes() -> None:
    gathered = Gatherer(wait_s=60.0, most_records=3)
    gathered.add({A: run(A, 0, 1, 2)}, now=0.0)
    assert gathered.due(now=0.0)
    gathered = Gatherer(wait_s=60.0, most_records=3)
    gathered.add({A: [Rec("events", 0, 0, value=b"x" * gather.MOST_BYTES)]}, now=0.0)
    assert gathered.due(now=0.0)


def test_a_rebalance_clears_it() -> None:
    gathered = Gatherer(wait_s=0.0, most_records=3)
    gathered.add({A: run(A, 0)}, now=0.0)
    gathered.clear()
    assert len(gathered.take()) == 0
