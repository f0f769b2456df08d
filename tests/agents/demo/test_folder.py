"""Folders of demos: one's own is gone at the end, those of dead demos at the next start, no others."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agents.demo.folder import LOCK, PREFIX, demo_folder, remove_leftovers

ROOT = Path(__file__).resolve().parents[3]
DEMO = """
import sys
from agents.demo.folder import demo_folder
with demo_folder() as folder:
    (folder / "state").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_lasts_as_long_as_its_demo(parent: Path) -> None:
    with demo_folder() as folder:
        assert folder.parent == parent
        with demo_folder() as other:
            assert other != folder
        assert folder.exists()
    assert list(parent.iterdir()) == []


def test_the_next_demo_removes_what_a_killed_one_left(parent: Path) -> None:
    command = [sys.executable, "-c", DEMO]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        remove_leftovers(parent)
        assert (folder / "state").exists(), "its demo is alive"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert folder.exists()
    with demo_folder():
        assert not folder.exists()


def test_what_is_no_dead_demo_s_stays(parent: Path) -> None:
    being_made = parent / f"{PREFIX}being-made"
    being_made.mkdir()
    (parent / "other-thing").mkdir()
    (parent / "other-thing" / LOCK).touch()
    elsewhere = parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    (parent / f"{PREFIX}link").symlink_to(elsewhere)
    remove_leftovers(parent)
    assert being_made.exists()
    assert (parent / "other-thing" / LOCK).exists()
    assert (elsewhere / LOCK).exists()
