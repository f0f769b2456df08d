"""Seeded mixtures of faults: every one exact; the same seed gives the same plan."""

from pathlib import Path

import pytest

from tests.faults.__main__ import SHORT
from tests.faults.nodes import Nodes
from tests.faults.results import Result, Results
from tests.faults.schedule import plan
from tests.faults.seeds import run_seed


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(1, SHORT + 1))
def test_a_seed_is_exact(seed: int, nodes: Nodes, tmp_path: Path) -> None:
    result = run_seed(seed, nodes, tmp_path)
    assert result.differences == [], f"again: make faults ARGS='--seed {seed}'"
    assert result.events > 0
    assert result.lists > 0


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan(7, 10.0, may_mount=True) == plan(7, 10.0, may_mount=True)
    assert plan(7, 10.0, may_mount=True) != plan(8, 10.0, may_mount=True)


def test_every_sort_of_fault_is_in_some_plan() -> None:
    planned = {type(fault) for seed in range(100) for _, fault in plan(seed, 10.0, may_mount=True)}
    assert len(planned) == 16


def test_results_are_kept_and_count_for_their_code_only(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    Results(path).add(Result(1, "a", 10.0, events=5))
    Results(path).add(Result(2, "a", 10.0, differences=["histories: 1 (u1)"]))
    kept = Results(path)
    assert kept.passed(1, "a", 10.0)
    assert not kept.passed(1, "b", 10.0)
    assert not kept.passed(1, "a", 20.0)
    assert not kept.passed(2, "a", 10.0)
    assert not kept.passed(3, "a", 10.0)
