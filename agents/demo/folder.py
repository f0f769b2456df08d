"""The demo's folder: gone when the demo ends; what a killed one left behind is removed by the next."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PREFIX = "profilestream-demo-"
LOCK = "demo.lock"
"""Locked as long as its demo lives. It gets this name when it is locked: a folder without it is just being made."""
WORKERS_LOCKS = "data/*/lock"
"""Workers of a demo that was killed need some seconds to end."""


@contextmanager
def demo_folder() -> Iterator[Path]:
    """An empty folder for the time of the block."""
    remove_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        made = Path(name)
        with (made / "lock.tmp").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (made / "lock.tmp").rename(made / LOCK)
            yield made


def remove_leftovers(parent: Path) -> None:
    """Remove this user's demo folders whose demo is dead."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with ExitStack() as stack:
                for path in (folder / LOCK, *folder.glob(WORKERS_LOCKS)):
                    fcntl.flock(stack.enter_context(path.open()), fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # alive, just being made, or removed by another demo meanwhile
