"""What the benchmark `update` says of runs: answers compared, ratios, peers that are missing."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import workload
from benchmarks.peers.batch_update import Answer
from benchmarks.update.answers import compare, expected
from benchmarks.update.prepare import REQUIREMENTS, PeerMissingError, kstreams_java, peers_python, versions
from benchmarks.update.programs import FAUST, KSTREAMS_EXACTLY_ONCE, PRODUCT, PROGRAMS, Run
from benchmarks.update.summary import lines_of, ratios, summary, table_of

RIGHT = {"u1": [(1, 4), (2, 4)], "u2": [(1, 7)]}


def run_of(rate: int, peak_mb: int = 100) -> dict[str, Any]:
    """Figures of a run."""
    return {
        "events": 900,
        "events_per_s": rate,
        "cpu_us_per_event": 10.0,
        "broker_cpu_us_per_event": 4.0,
        "peak_mb": peak_mb,
        "changelog_bytes_per_event": 30.0,
        "warm_up_s": 1.0,
    }


def test_the_right_answers_do_not_differ_and_those_of_later_events_are_counted() -> None:
    answers = [Answer("u2", 1, 7), Answer("u1", 1, 4), Answer("u1", 2, 4), Answer("u1", 2, 4), Answer("u3", 1, 1)]
    found = compare(RIGHT, answers, all_of_them=True)
    assert found == {"answers": 5, "compared": 3, "users_that_differ": 0}


@pytest.mark.parametrize(
    "answers",
    [
        [Answer("u1", 1, 4), Answer("u1", 2, 4)],
        [Answer("u1", 2, 4), Answer("u1", 1, 4), Answer("u2", 1, 7)],
        [Answer("u1", 1, 4), Answer("u1", 1, 4), Answer("u2", 1, 7)],
    ],
    ids=["missing", "another order", "doubled"],
)
def test_an_answer_that_is_missing_doubled_or_in_another_order_is_a_difference(answers: list[Answer]) -> None:
    assert compare(RIGHT, answers, all_of_them=True)["users_that_differ"] == 1


def test_of_a_program_that_is_stopped_the_first_answers_are_compared() -> None:
    assert compare(RIGHT, [Answer("u1", 1, 4)], all_of_them=False)["users_that_differ"] == 0
    assert compare(RIGHT, [Answer("u1", 1, 5)], all_of_them=False)["users_that_differ"] == 1


def test_each_event_has_an_expected_answer() -> None:
    wanted = expected(workload.events(500))
    assert sum(map(len, wanted.values())) == 500


def test_a_summary_has_medians_and_the_largest_memory() -> None:
    figures = summary([run_of(90, 110), run_of(100, 120), run_of(130, 100)], "exactly once")
    assert (figures["events_per_s"], figures["spread"], figures["peak_mb"]) == (100, 0.4, 120)


def test_ratios_are_of_each_peer_of_the_fastest_and_of_memory() -> None:
    programs = {
        PRODUCT: summary([run_of(90_000, 300)], ""),
        KSTREAMS_EXACTLY_ONCE: summary([run_of(15_000, 600)], ""),
        FAUST: summary([run_of(1_500)], ""),
        "bytewax": summary([run_of(30_000)], ""),
    }
    assert ratios(programs) == {
        f"of {KSTREAMS_EXACTLY_ONCE}": 6.0,
        f"of {FAUST}": 60.0,
        "of bytewax": 3.0,
        "of the fastest peer": 3.0,
        f"memory of {KSTREAMS_EXACTLY_ONCE}": 0.5,
    }
    assert table_of(programs).row_count == 4
    assert "profilestream has 3 × the events/s of the fastest peer (aim: 2)" in lines_of(ratios(programs))


def test_there_are_no_ratios_without_the_product_or_without_peers() -> None:
    assert ratios({FAUST: summary([run_of(1)], "")}) == {}
    assert ratios({PRODUCT: summary([run_of(1)], "")}) == {}


def test_peers_that_were_not_prepared_are_missing_with_the_command_that_makes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROFILESTREAM_CACHE", str(tmp_path))
    for needed in (peers_python, kstreams_java):
        with pytest.raises(PeerMissingError, match="--prepare"):
            needed()


def test_no_run_has_the_beginning_of_another_ones_name(tmp_path: Path) -> None:
    # Topics of a run are found, and deleted, by its group.
    groups = [Run(program.name, number, tmp_path).group for program in PROGRAMS for number in (1, 2)]
    assert not [(a, b) for a in groups for b in groups if a != b and a in b]


def test_the_peers_lock_names_hashes_and_no_host() -> None:
    text = REQUIREMENTS.read_text()
    assert "://" not in text
    entries = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    wanted = REQUIREMENTS.with_suffix(".in").read_text().split()
    assert all(any(entry.startswith(f"{name.split('==')[0]}==") for entry in entries) for name in wanted)


def test_versions_of_the_peers_are_told() -> None:
    assert set(versions()) == {"bytewax", "quixstreams", "kafka-streams"}
