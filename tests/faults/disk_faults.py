"""Local state that is deleted, that is older than it should be, and that finds no room on its disk."""

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from tests.broker.support import Supervised
from tests.faults.worker_faults import ended, killed, started_again
from tests.faults.world import Strike, Until, World

SMALL_DISK_MB = 16
FILLER = "filler"
LARGEST_FILE_BYTES = 100_000
"""More than a worker logs, and less than what RocksDB writes ahead in a few seconds."""


@dataclass(frozen=True)
class LostDisk:
    """Killed, and its folder deleted: everything comes back from the changelog."""

    kind: str
    instance: str

    def strike(self, world: World) -> Strike:
        """Kill, delete, start."""
        worker = world.worker(self.kind, self.instance)
        yield from killed(worker)
        _empty(world.data_of(self.kind, self.instance))
        yield from started_again(worker)


@dataclass(frozen=True)
class StaleDisk:
    """Killed, and its folder replaced by a copy from some time ago."""

    kind: str
    instance: str
    seconds: float

    def strike(self, world: World) -> Strike:
        """Kill, copy, start; later kill, put the copy back, start."""
        worker, data = world.worker(self.kind, self.instance), world.data_of(self.kind, self.instance)
        copy = world.folder / f"copy-{self.kind}-{self.instance}"
        yield from killed(worker)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(data, copy)
        yield from started_again(worker)
        yield self.seconds
        yield from killed(worker)
        _empty(data)
        shutil.copytree(copy, data, dirs_exist_ok=True)
        yield from started_again(worker)


@dataclass(frozen=True)
class FullDisk:
    """No room for what it writes, so it ends by itself; then there is room, and an operator starts it.

    `tmpfs`: its folder is on a small disk of its own, which is filled. `limit`: its files may not grow (RLIMIT_FSIZE),
    which needs no rights.
    """

    kind: str
    instance: str
    way: Literal["tmpfs", "limit"]

    def strike(self, world: World) -> Strike:
        """Take the room away, wait for the end, give it back."""
        worker, data = world.worker(self.kind, self.instance), world.data_of(self.kind, self.instance)
        if self.way == "tmpfs":
            yield from self._move_to_a_small_disk(world, worker, data)
            worker.held = True
            _fill(data / FILLER)
        else:
            worker.held = True
            _limit_files(worker)
        yield Until(lambda: worker.process.poll() is not None or not world.flowing, "the end for want of room")
        if worker.process.poll() is None:  # nothing was written any more
            worker.kill()
            yield ended(worker)
        if self.way == "tmpfs":
            _move_to_a_large_disk(data)
        worker.codes.append(worker.process.returncode)
        worker.start()
        worker.held = False

    def _move_to_a_small_disk(self, world: World, worker: Supervised, data: Path) -> Strike:
        yield from killed(worker)
        _empty(data)
        _mount(data)
        world.at_end(lambda: _unmount(data) if data.is_mount() else None)
        before = worker.text().count("works on")
        yield from started_again(worker)
        yield Until(lambda: worker.text().count("works on") > before, "a restore to the small disk")


def can_mount() -> bool:
    """Whether this user may mount a small disk."""
    with TemporaryDirectory() as folder:
        try:
            _mount(Path(folder))
        except (OSError, subprocess.CalledProcessError):
            return False
        _unmount(Path(folder))
        return True


def _mount(folder: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MB}m", "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def _move_to_a_large_disk(folder: Path) -> None:
    (folder / FILLER).unlink()
    with TemporaryDirectory() as scratch:
        shutil.copytree(folder, scratch, dirs_exist_ok=True)
        _unmount(folder)
        shutil.copytree(scratch, folder, dirs_exist_ok=True)


def _empty(folder: Path) -> None:
    """Delete what is in a folder; the folder itself may be a disk."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _fill(filler: Path) -> None:
    """Write until there is no room for another byte."""
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in _sizes():
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


def _sizes() -> Iterator[int]:
    yield from (1 << 20, 1 << 12, 1)


def _limit_files(worker: Supervised) -> None:
    _, most = resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE)
    size = worker.log.stat().st_size + LARGEST_FILE_BYTES
    resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (size, most))
