"""Background processes that outlive the command which started them, found again by a pid file."""

import os
import signal
import subprocess
import time
from pathlib import Path

POLL_S = 0.05
KILL_TIMEOUT_S = 5.0
EXEC_TIMEOUT_S = 0.5

PROC = Path("/proc")
PROC_EXISTS = (PROC / "self" / "stat").exists()
"""Linux; elsewhere `ps` is asked."""

# The shell leaves at once, so that the process belongs to init, which reaps it; and the pid is on disk before anything
# here can be interrupted.
_DETACH = 'output=$1; pid_file=$2; shift 2; "$@" >"$output" 2>&1 </dev/null & echo $! >"$pid_file"'


def start_detached(command: list[str], *, output: Path, pid_file: Path) -> int:
    """Starts the command in a session of its own (no Ctrl-C from this terminal reaches it) and returns its pid."""
    subprocess.run(
        ["/bin/sh", "-c", _DETACH, "sh", str(output), str(pid_file), *command], check=True, start_new_session=True
    )
    return int(pid_file.read_text())


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not reaped yet does not."""
    try:
        # The state is the field behind the name, which is in brackets and may hold anything.
        state = (
            (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] if PROC_EXISTS else _ps(pid, "stat")
        )
    except (FileNotFoundError, ProcessLookupError):
        return False
    return bool(state) and state[0] not in "ZX"


def command_line(pid: int) -> str:
    """The command that runs under this pid; empty if none does."""
    if not PROC_EXISTS:
        return _ps(pid, "command") if is_alive(pid) else ""
    deadline = time.monotonic() + EXEC_TIMEOUT_S
    while is_alive(pid):
        try:
            words = (PROC / str(pid) / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        # In the middle of an exec the kernel shows an empty one.
        if words or time.monotonic() > deadline:
            return words.replace(b"\0", b" ").decode(errors="replace")
    return ""


def read_pid(pid_file: Path, *, must_contain: str) -> int | None:
    """The pid in the file if its process is alive and its command line contains the text; else None."""
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    command = command_line(pid)
    return pid if command and must_contain in command else None


def end(pid: int, *, timeout_s: float) -> bool:
    """SIGTERM, and SIGKILL after the timeout; True once the process is gone."""
    for number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, KILL_TIMEOUT_S)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not is_alive(pid):
                return True
            time.sleep(POLL_S)
    return False


def _ps(pid: int, field: str) -> str:
    answer = subprocess.run(["ps", "-p", str(pid), "-o", f"{field}="], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
