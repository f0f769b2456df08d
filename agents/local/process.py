"""Background processes that outlive the command which started them, found again by a pid file."""

import os
import signal
import subprocess
import time
from pathlib import Path

POLL_S = 0.05
KILL_TIMEOUT_S = 5.0

# The shell leaves at once, so that the process belongs to init, which reaps it; and the pid is on disk before anything
# here can be interrupted.
_DETACH = 'output=$1; pid_file=$2; shift 2; nohup "$@" >"$output" 2>&1 </dev/null & echo $! >"$pid_file"'


def start_detached(command: list[str], *, output: Path, pid_file: Path) -> int:
    """Starts the command in a session of its own (no Ctrl-C from this terminal reaches it) and returns its pid."""
    subprocess.run(
        ["/bin/sh", "-c", _DETACH, "sh", str(output), str(pid_file), *command], check=True, start_new_session=True
    )
    return int(pid_file.read_text())


def command_line(pid: int) -> str:
    """The command that runs under this pid; empty if none does, also if it ended and was not reaped yet."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    answer = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def read_pid(pid_file: Path, *, must_contain: str) -> int | None:
    """The pid in the file if its process is alive and its command line contains the text; else None."""
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if must_contain in command_line(pid) else None


def end(pid: int, *, timeout_s: float) -> bool:
    """SIGTERM, and SIGKILL after the timeout; True once the process is gone."""
    for number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, KILL_TIMEOUT_S)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not command_line(pid):
                return True
            time.sleep(POLL_S)
    return False
