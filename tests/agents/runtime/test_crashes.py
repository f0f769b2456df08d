"""A batch that keeps ending the process is taken record by record, and the culprit is named.

fail, fail, fail ─► one by one ─► culprit fails alone ─► noted ─► put aside ─► all absorbed ─► forgotten
"""

from pathlib import Path

import pytest

from agents.runtime.batch import Batch
from agents.runtime.crashes import CrashRecord
from tests.agents.runtime.test_positions import A, B, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crashes.json"


def fail(path: Path, batch: Batch, times: int) -> CrashRecord:
    for _ in range(times):
        CrashRecord(path).failed(batch, "trace")
    return CrashRecord(path)


def test_a_batch_is_whole_until_it_failed_three_times(path: Path) -> None:
    batch = Batch({A: run(A, 4, 5)})
    assert not fail(path, batch, 2).careful
    assert [len(part) for part in CrashRecord(path).parts(batch)] == [2]
    assert fail(path, batch, 1).careful


def test_then_its_records_come_one_by_one_and_later_ones_together(path: Path) -> None:
    crashes = fail(path, Batch({A: run(A, 4, 5), B: run(B, 0)}), 3)
    parts = list(crashes.parts(Batch({A: run(A, 4, 5, 6, 7), B: run(B, 0)})))
    assert [part.starts() for part in parts] == [{A: 4}, {A: 5}, {B: 0}, {A: 6}]
    assert len(parts[-1]) == 2


def test_another_batch_starts_the_count_again(path: Path) -> None:
    fail(path, Batch({A: run(A, 4)}), 2)
    assert not fail(path, Batch({A: run(A, 9)}), 2).careful


def test_the_same_batch_may_have_grown_between_two_starts(path: Path) -> None:
    fail(path, Batch({A: run(A, 4)}), 2)
    crashes = fail(path, Batch({A: run(A, 4, 5, 6)}), 1)
    assert len(list(crashes.parts(Batch({A: run(A, 4, 5, 6)})))) == 3


def test_a_record_that_fails_alone_is_the_culprit(path: Path) -> None:
    fail(path, Batch({A: run(A, 4, 5)}), 3)
    crashes = fail(path, Batch({A: run(A, 5)}), 1)
    assert crashes.culprit(A, 5) == "trace"
    assert crashes.culprit(A, 4) is None
    assert crashes.careful


def test_all_is_forgotten_when_the_batch_is_absorbed(path: Path) -> None:
    crashes = fail(path, Batch({A: run(A, 4, 5), B: run(B, 0)}), 3)
    crashes.absorbed({A: 6})
    assert path.exists()
    crashes.absorbed({B: 1})
    assert not path.exists()
    assert [len(part) for part in crashes.parts(Batch({A: run(A, 4, 5)}))] == [2]
    assert not CrashRecord(path).careful


def test_absorbing_without_a_failure_touches_nothing(path: Path) -> None:
    CrashRecord(path).absorbed({A: 6})
    assert not path.exists()


def test_a_failure_without_records_is_noted_and_counts_nothing(path: Path) -> None:
    batch = Batch({A: run(A, 4, 5)})
    fail(path, batch, 2)
    fail(path, Batch({}), 3)
    assert not CrashRecord(path).careful
    assert fail(path, batch, 1).careful


def test_the_last_traceback_is_kept_until_something_is_absorbed(path: Path) -> None:
    crashes = fail(path, Batch({}), 1)
    assert "trace" in path.read_text()
    crashes.absorbed({A: 6})
    assert not path.exists()


def test_what_is_noted_of_partitions_that_moved_away_holds_up_no_others(path: Path) -> None:
    batch = Batch({A: run(A, 4, 5)})
    crashes = fail(path, batch, 3)
    crashes.own({B: 0})
    assert not crashes.careful
    assert [len(part) for part in crashes.parts(Batch({B: run(B, 0, 1)}))] == [2]
    crashes.absorbed({B: 2})
    crashes.own({A: 4, B: 2})
    assert [len(part) for part in crashes.parts(batch)] == [1, 1]


def test_what_another_worker_absorbed_meanwhile_is_forgotten(path: Path) -> None:
    crashes = fail(path, Batch({A: run(A, 4, 5)}), 3)
    crashes.own({B: 0})
    crashes.own({A: 6, B: 0})
    assert not crashes.careful
    assert not path.exists()


def test_a_traceback_without_a_batch_survives_the_next_assignment(path: Path) -> None:
    crashes = fail(path, Batch({}), 1)
    crashes.own({A: 0})
    assert path.exists()
