"""Events twice, misplaced, bad, or deadly for a worker: each is accounted for, the rest is exact."""

import pytest

from tests.faults.input_faults import BadRecords, CrashingRecord, Doubles, Misplaced
from tests.faults.striking import strike
from tests.faults.world import World

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]


@pytest.mark.faults
def test_events_that_come_twice_are_counted_once(world: World) -> None:
    assert len(strike(world, Doubles(15, 1)).doubles) >= 15


def test_misplaced_events_are_forwarded_once(world: World) -> None:
    assert len(strike(world, Misplaced(15, 1)).misplaced) == 15


@pytest.mark.faults
def test_bad_records_are_put_aside_with_their_reason(world: World) -> None:
    reasons = {reason for reason, _ in strike(world, BadRecords(15, 1)).bad.values()}
    assert reasons >= {"null_value", "bad_json", "bad_field", "wrong_key"}


@pytest.mark.faults
def test_a_record_that_ends_the_worker_is_put_aside_and_nothing_of_its_batches_is_seen(world: World) -> None:
    starts = sum(worker.starts for worker in world.workers.workers)
    ledger = strike(world, CrashingRecord(1))
    assert [reason for reason, _ in ledger.bad.values()].count("agent_failed") == 1
    assert sum(worker.starts for worker in world.workers.workers) >= starts + 4
