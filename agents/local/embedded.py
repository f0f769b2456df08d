"""The embedded broker: librdkafka's mock cluster, a broker in the memory of one small process.

Needs no install and is there at once. For a first try and for fast tests only, since it

- has 4 partitions in every topic, which is created when it is first named;
- keeps about 5 MB of each partition: what is not read by then is gone, so a replay must be paced;
- shows aborted records to `read_committed` readers too;
- forgets offsets committed in transactions: a worker that restarts on it starts over;
- is gone at exit, with everything in it.

    with EmbeddedBroker() as broker:
        Producer({"bootstrap.servers": broker.bootstrap})
"""

import json
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from agents.local.errors import EmbeddedBrokerError

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
PARTITIONS = 4
"""librdkafka's fixed number for every topic."""


class EmbeddedBroker:
    """The process with the broker, for as long as the `with` block lasts.

    It ends with the block, and also when this process dies without leaving it: its standard input closes then.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._bootstrap: str | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients; EmbeddedBrokerError outside the `with` block."""
        if self._bootstrap is None:
            raise EmbeddedBrokerError("The embedded broker is not running: use it in a `with` block.")
        return self._bootstrap

    @property
    def pid(self) -> int | None:
        """The broker's process, while there is one."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agents.local.embedded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            # Ctrl-C is for the one who uses the broker; the broker goes last.
            start_new_session=True,
        )
        try:
            self._bootstrap = self._read_bootstrap(self._process)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def _read_bootstrap(self, process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if selector.select(START_TIMEOUT_S) else ""
        try:
            return str(json.loads(line)["bootstrap"])
        except (ValueError, KeyError) as exc:
            state = f"ended with code {process.poll()}" if process.poll() is not None else "does not answer"
            raise EmbeddedBrokerError(
                f"The embedded broker {state}. Is confluent-kafka installed as a wheel? "
                "(Its librdkafka must have the mock cluster.)"
            ) from exc

    def _end(self) -> None:
        process, self._process, self._bootstrap = self._process, None, None
        if process is None:
            return
        with process:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def main() -> None:
    """Runs the broker in this process, prints its address as one line of JSON, stays until standard input closes."""
    from confluent_kafka import Producer

    # SIGTERM ends the process at once: nothing in it is to be kept.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    errors_only = 3
    client = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": errors_only})
    brokers = client.list_topics(timeout=START_TIMEOUT_S).brokers.values()
    print(json.dumps({"bootstrap": ",".join(f"{broker.host}:{broker.port}" for broker in brokers)}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
