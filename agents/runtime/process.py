"""The process of a worker: its data folder, its signals, its end."""

import fcntl
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

from aiokafka.errors import KafkaError as EngineKafkaError
from confluent_kafka import KafkaException

from agents.errors import BrokerError, ProfilestreamError, SetupError
from agents.settings import Settings, unknown_variables

log = logging.getLogger(__name__)

ENDING_TIMEOUT_S = 8.0
"""SIGTERM ends a worker within ten seconds, whatever it waits for. State is exact all the same: an open transaction is
aborted by the next start."""
_NOISY = ("faust", "mode", "aiokafka", "kafka", "asyncio", "agents.runtime.engine")


def set_up_logging(settings: Settings) -> None:
    """Log to standard error; of the engine only warnings, and at `debug` what it does, but never what it reads.

    aiokafka writes whole responses of the broker at that level, with the records of users in them.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING if settings.log_level != "debug" else logging.INFO)
    for text in unknown_variables(os.environ):
        log.warning(text)


class DataFolder:
    """The folder of one worker's local state, locked against a second process."""

    def __init__(self, settings: Settings, app_id: str) -> None:
        self.path = settings.data_dir / f"{app_id}-{settings.instance}"
        self._lock: IO[str] | None = None

    def claim(self) -> Path:
        """Make and lock the folder. Raises `SetupError` if it is not writable or another worker has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("w")
        except OSError as exc:
            raise SetupError(
                f"cannot write to {self.path}: {exc.strerror}\n  Set PROFILESTREAM_DATA_DIR to a writable folder."
            ) from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self._lock.close()
            raise SetupError(
                f"another worker uses {self.path}\n  "
                "Give each worker its own PROFILESTREAM_INSTANCE (or PROFILESTREAM_DATA_DIR)."
            ) from exc
        return self.path


class Ending:
    """How this process ends: once, by a signal or an error, with one exit code."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        """A signal asked for the end."""
        self._on_request: Callable[[], None] = lambda: None
        # Python's own handlers run in the main thread only, and not while that is inside a library call. The wake-up
        # socket is written to at once, whichever thread is hit; a thread of ours reads it.
        self._woken, waker = socket.socketpair()
        waker.setblocking(False)
        self._waker = waker
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def on_request(self, stop: Callable[[], None]) -> None:
        """Call this, from another thread, when a signal asks for the end; at once if one did already."""
        self._on_request = stop
        if self.requested.is_set():
            stop()

    def _wait(self) -> None:
        while not set(self._woken.recv(16)) & {signal.SIGTERM, signal.SIGINT}:
            continue
        self.requested.set()
        watchdog = threading.Timer(ENDING_TIMEOUT_S, os._exit, (0,))
        watchdog.daemon = True
        watchdog.start()
        self._on_request()


def exit_code_of(error: BaseException) -> int:
    """Log why the process ends; the exit code to end it with."""
    if isinstance(error, ProfilestreamError):
        log.error("%s", error)
        return error.exit_code
    if isinstance(error, (KafkaException, EngineKafkaError)):
        log.error("the broker is away or refuses: %s", error)
        return BrokerError.exit_code
    log.error("unexpected error\n%s", "".join(traceback.format_exception(error)))
    return 1


def leave(code: int) -> NoReturn:
    """End the process now: no library's threads or exit handlers may hold it up."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def run_alone(settings: Settings, work: Callable[[Settings, Ending], None]) -> NoReturn:
    """Run a worker without the engine until `work` returns or fails: the process ends with the exit code."""
    set_up_logging(settings)
    ending = Ending()
    code = 0
    try:
        work(settings, ending)
    except Exception as exc:
        code = exit_code_of(exc)
    leave(code)
