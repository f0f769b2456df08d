"""A worker with the smallest honest agent: counts the records of each key, sends one record on for each.

`python -m tests.broker.counting_agent`. Values that mean something: `delete` deletes the row, `crash` raises,
`wait FILE` makes `FILE.begun` and waits for FILE.
"""

import sys
import time
from pathlib import Path

from agents.runtime.agent import TableReader, TransactionLike
from agents.runtime.batch import Batch
from agents.runtime.worker import WorkerSpec, run_worker
from agents.settings import Settings, read_settings
from agents.topics import build_topics

NAME = "profiles"
"""The worker takes the place of the profiles worker, so that its changelog is one of the known topics."""

MOST_WAIT_S = 15.0
"""A worker at work hears no signal, so it must not wait for ever."""


class CountingAgent:
    """Row of a key: how many records it had. Sent on: `<key> <count>` to `outcomes`."""

    def __init__(self, settings: Settings) -> None:
        self._topics = build_topics(settings)

    def assigned(self, partitions: frozenset[int], table: TableReader) -> None:
        """Nothing is cached."""

    def pending(self) -> bool:
        """No work without input."""
        return False

    def refresh(self) -> None:
        """No views."""

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Count."""
        for topic in (self._topics.events, self._topics.requests):
            for partition, records in batch.of(topic.name):
                for record in records:
                    if record.value == b"crash":
                        raise ValueError("this record cannot be counted")
                    if record.value is not None and record.value.startswith(b"wait "):
                        _wait_for(Path(record.value[5:].decode()))
                    key = record.key or b""
                    (row,) = transaction.read(partition, [key])
                    if record.value == b"delete":
                        transaction.write(partition, key, None)
                        continue
                    count = int(row or b"0") + 1
                    transaction.write(partition, key, b"%d" % count)
                    transaction.send(self._topics.outcomes.name, partition, key, b"%s %d" % (key, count))


def _wait_for(file: Path) -> None:
    """Hold the batch up until the file is there."""
    file.with_suffix(".begun").touch()
    deadline = time.monotonic() + MOST_WAIT_S
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def main() -> None:
    """Run the worker with the settings of the environment."""
    settings = read_settings()
    topics = build_topics(settings)
    spec = WorkerSpec(NAME, (topics.events, topics.requests), "profiles", fetch_bytes=16 * 1024)
    sys.exit(run_worker(settings, spec, CountingAgent(settings)))


if __name__ == "__main__":
    main()
