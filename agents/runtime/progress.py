"""What operators see of a restore: a log line each few seconds, gauges, a percentage in /ready."""

import logging
import time
from collections.abc import Callable

from agents.runtime.metrics import Metrics

log = logging.getLogger(__name__)

TELL_S = 2.0
MB = 1e6


class Progress:
    """Counts what is read of `records` changelog records; an upper bound, since compaction leaves gaps."""

    def __init__(
        self, records: int, metrics: Metrics, show: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._all, self._left, self._metrics, self._show, self._clock = records, records, metrics, show, clock
        self._began = self._told = self._heard = clock()
        self._rows_then = self._bytes_then = 0
        self.rows = self.bytes = 0
        """Records and bytes of values so far."""
        self._publish()

    def add(self, rows: int, size: int, left: int, *, heard: bool) -> None:
        """So many were read (perhaps none), `left` are to be read; `heard`: the broker had something to say."""
        if heard:
            self._heard = self._clock()
        self.rows += rows
        self.bytes += size
        self._left = left
        self._metrics.add("restored_rows_total", rows)
        self._metrics.add("restored_bytes_total", size)
        if self._clock() - self._told > TELL_S:
            self._publish()
            self._tell()

    def _publish(self) -> None:
        self._metrics.set("restore_left_records", self._left)
        self._show(f"{self.percent} %")

    @property
    def percent(self) -> int:
        """How much is read, rounded down."""
        return 100 if not self._all else 100 * (self._all - self._left) // self._all

    @property
    def silent_s(self) -> float:
        """Seconds since the broker last had something to say."""
        return self._clock() - self._heard

    def done(self) -> None:
        """Nothing is left."""
        self._left = 0
        self._publish()

    def _tell(self) -> None:
        now = self._clock()
        seconds, self._told = now - self._told, now
        log.info(
            "restoring: %d %%, %d records, %d/s, %.1f MB/s, %d left%s",
            self.percent,
            self.rows,
            (self.rows - self._rows_then) / seconds,
            (self.bytes - self._bytes_then) / seconds / MB,
            self._left,
            "; an open transaction is waited for" if self.silent_s > TELL_S / 2 else "",
        )
        self._rows_then, self._bytes_then = self.rows, self.bytes
