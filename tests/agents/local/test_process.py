"""Detached processes: found by their pid file, and ended also when they refuse."""

import time
from pathlib import Path

from agents.local import process


def started(tmp_path: Path, script: str) -> int:
    """A detached shell with this script, once it wrote `ready`."""
    output = tmp_path / "output"
    pid = process.start_detached(["/bin/sh", "-c", script], output=output, pid_file=tmp_path / "pid")
    deadline = time.monotonic() + 10
    while not (output.exists() and "ready" in output.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return pid


def test_a_detached_process_is_found_by_its_pid_file_and_command(tmp_path: Path) -> None:
    pid = started(tmp_path, "echo ready; exec sleep 600")
    try:
        assert process.read_pid(tmp_path / "pid", must_contain="sleep 600") == pid
        assert process.read_pid(tmp_path / "pid", must_contain="something else") is None
    finally:
        assert process.end(pid, timeout_s=5)
    assert process.read_pid(tmp_path / "pid", must_contain="sleep 600") is None


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    pid = started(tmp_path, "trap '' TERM; echo ready; while :; do sleep 1; done")
    assert process.end(pid, timeout_s=0.2)
    assert not process.command_line(pid)


def test_a_pid_file_that_is_missing_or_broken_names_no_process(tmp_path: Path) -> None:
    assert process.read_pid(tmp_path / "pid", must_contain="any") is None
    (tmp_path / "pid").write_text("not a number")
    assert process.read_pid(tmp_path / "pid", must_contain="any") is None
