"""The workers of the demo as processes that end with it, whatever ends it."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agents.errors import ProfilestreamError

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 12.0
LOG_TAIL_LINES = 20
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here: little may be done between fork and exec, where clients have threads
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class WorkerProcess:
    """One worker, its log and the port of its health."""

    kind: str
    process: subprocess.Popen[bytes]
    log: Path
    port: int

    def waiting_for(self, *, complete: bool = False) -> str | None:
        """What it waits for before it works or, if `complete`, still does beside it; None: nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=2) as answer:
                still = json.loads(answer.read())["still"]
                return ", ".join(still) if complete and still else None
        except urllib.error.HTTPError as exc:
            return ", ".join(json.loads(exc.read())["waiting_for"])
        except OSError:
            return "start"

    def count(self, metric: str, topic: str) -> float:
        """What it has counted for a topic; 0 before the first."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        name = f'profilestream_{metric}{{topic="{topic}"}} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    def check(self) -> None:
        """Raise `ProfilestreamError` with the end of its log if it has ended."""
        code = self.process.poll()
        if code is not None:
            tail = "\n  ".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
            raise ProfilestreamError(f"the {self.kind} worker ended with code {code}:\n  {tail}")


class Workers:
    """All workers of a demo; use as a context."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self.running: list[WorkerProcess] = []

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end()
        except BaseException:  # a second Ctrl-C: at once, then
            for worker in self.running:
                worker.process.kill()
            raise

    def _end(self) -> None:
        for worker in self.running:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for worker in self.running:
            try:
                worker.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def start(self, kind: str) -> None:
        """Start one worker."""
        log, port = self._folder / f"{kind}.log", _free_port()
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {
            **os.environ,
            **self._environment,
            "PYTHONPATH": path,
            "PROFILESTREAM_HTTP_PORT": str(port),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "agents.cli", "worker", kind],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo alone; it ends its workers
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        self.running.append(WorkerProcess(kind, process, log, port))

    def check(self) -> None:
        """Raise `ProfilestreamError` if a worker has ended."""
        for worker in self.running:
            worker.check()

    def count(self, kind: str, metric: str, topic: str) -> float:
        """What the workers of a kind have counted for a topic."""
        return sum(worker.count(metric, topic) for worker in self.running if worker.kind == kind)

    def waiting_for(self, *, complete: bool = False) -> str:
        """What the workers wait for (`complete`: or still do beside their work); empty: nothing."""
        self.check()
        waiting = [(worker.kind, worker.waiting_for(complete=complete)) for worker in self.running]
        return ", ".join(f"{kind}: {what}" for kind, what in waiting if what is not None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    """In the child: be told to end when the parent is killed and cannot do it."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
