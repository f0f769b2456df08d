"""Fetches put together until they are worth a transaction."""

from collections.abc import Sequence

from faust.types import TP

from agents.runtime.batch import Batch, Record, Runs


class Gatherer:
    """Collects runs; due when the oldest is `wait_s` old or `most_records` are there. Times are the caller's clock."""

    def __init__(self, wait_s: float, most_records: int) -> None:
        self._wait_s, self._most_records = wait_s, most_records
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

    def due(self, now: float) -> bool:
        """Whether it is time to absorb."""
        if self._since is None:
            return False
        return self._count >= self._most_records or now - self._since >= self._wait_s

    def take(self) -> Batch:
        """All that is here; the gatherer is empty afterwards."""
        batch = Batch(self._runs)
        self.clear()
        return batch

    def clear(self) -> None:
        """Forget what is here: it will be fetched again."""
        self._runs, self._count, self._since = {}, 0, None
