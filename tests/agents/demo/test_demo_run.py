"""The demo as a user runs it: it ends by itself or on a signal, and everything it started has ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.demo.run import Interrupt

ROOT = Path(__file__).resolve().parents[3]
MARK = "PROFILESTREAM_DEMO_TEST"


@contextmanager
def demo(*arguments: str, mark: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "agents.cli", "demo", "--no-bert", *arguments],
        env={**os.environ, MARK: mark},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def left(mark: str) -> list[str]:
    """Processes that have the mark of this test in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.timeout(360)
def test_a_short_demo_ends_by_itself_with_its_table(unique: str) -> None:
    with demo("--events", "2000", mark=unique) as process:
        output, _ = process.communicate(timeout=280)
        assert process.returncode == 0, output
    assert "the user's newest list" in output
    assert "most popular items" in output
    assert "each of the 400 events got its list" in " ".join(output.split())
    assert "everything that was started has ended" in output
    assert left(unique) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_and_all_it_started(number: signal.Signals, unique: str) -> None:
    with demo(mark=unique) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "workers ready" in line:
                break
        assert len(left(unique)) > 3
        process.send_signal(number)
        assert process.wait(30) == 130
    assert left(unique) == []


def test_a_signal_is_raised_once_and_again_where_it_was_lost() -> None:
    asked = Interrupt()
    asked.check()
    with pytest.raises(KeyboardInterrupt):
        asked.hear(signal.SIGINT, None)
    asked.hear(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        asked.check()


@pytest.mark.slow
def test_a_killed_demo_leaves_nothing_either(unique: str) -> None:
    with demo(mark=unique) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "workers ready" in line:
                break
        process.kill()
        process.wait()
        deadline = time.monotonic() + 30
        while left(unique):
            assert time.monotonic() < deadline, left(unique)
            time.sleep(0.1)
