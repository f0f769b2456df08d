"""Fetches put together until they are worth a transaction."""

from collections.abc import Sequence

from faust.types import TP

from agents.runtime.batch import Batch, Record, Runs

MOST_BYTES = 8 * 1024 * 1024
"""Of gathered values: about a second's work of the similarity worker, and 200 MB of memory while it is done."""


class Gatherer:
    """Collects runs; due when the oldest is `wait_s` old, or when there are enough. Times are the caller's clock."""

    def __init__(self, wait_s: float, most_records: int) -> None:
        self._wait_s, self._most_records = wait_s, most_records
        self._bytes = 0
        self._runs: dict[TP, list[Record] | Sequence[Record]] = {}
        self._count = 0
        self._since: float | None = None

    def add(self, runs: Runs, now: float) -> None:
        """One fetch, offsets of each partition after those already here."""
        if runs and self._since is None:
            self._since = now
        for tp, records in runs.items():
            known = self._runs.get(tp)
            self._runs[tp] = records if known is None else [*known, *records]
            self._count += len(records)
            if self._wait_s:
                self._bytes += sum(len(record.value or b"") for record in records)

    def due(self, now: float) -> bool:
        """Whether it is time to absorb."""
        if self._since is None:
            return False
        return self.full() or now - self._since >= self._wait_s

    def full(self) -> bool:
        """Whether there is as much as one transaction should take."""
        return self._count >= self._most_records or self._bytes >= MOST_BYTES

    def starts(self) -> dict[TP, int]:
        """First offset of each partition of which something is here."""
        return Batch(self._runs).starts()

    def take(self) -> Batch:
        """All that is here; the gatherer is empty afterwards."""
        batch = Batch(self._runs)
        self.clear()
        return batch

    def clear(self) -> None:
        """Forget what is here: it will be fetched again."""
        self._runs, self._count, self._bytes, self._since = {}, 0, 0, None
