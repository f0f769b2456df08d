"""Notices a silent stall: records wait at the broker, and none comes (issues 175 and 629 of faust-streaming)."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec
from faust.types import TP

from agents.runtime.clients import admin_client
from agents.runtime.health import Health
from agents.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0
ANSWER_TIMEOUT_S = 8.0


class LagWatch:
    """Compares, every few seconds, where reading stands with the last stable offset.

    Not with the end of the log: an open transaction holds readers back, and that is no stall.
    """

    def __init__(self, settings: Settings, health: Health, reading: Callable[[], Mapping[TP, int]]) -> None:
        self._settings, self._admin = settings, admin_client(settings)
        self._health, self._reading = health, reading
        self._before: Mapping[TP, int] = {}

    def start(self) -> None:
        """Look from a thread of its own: the broker may be slow to answer."""
        threading.Thread(target=self._run, name="lag", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Compare once. What cannot be looked at is no stall."""
        try:
            self._compare()
        except Exception as exc:  # the thread must go on: nothing else notices a stall
            self._health.note_lag(moved=False, behind=False)
            why = exc.args[0].str() if isinstance(exc, KafkaException) else repr(exc)
            log.warning("cannot read the ends of the source topics: %s", why)
            # librdkafka asks by what it knew of a partition's leader, minutes after the brokers refuse that as old.
            self._admin = admin_client(self._settings)

    def _compare(self) -> None:
        reading = dict(self._reading())
        if not reading:  # before partitions are owned and restored, which may take long
            self._before = reading
            self._health.note_lag(moved=False, behind=False)
            return
        asked = {TopicPartition(tp.topic, tp.partition): OffsetSpec.latest() for tp in reading}  # type: ignore[no-untyped-call]
        futures = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ANSWER_TIMEOUT_S
        )
        ends = {TP(tp.topic, tp.partition): future.result().offset for tp, future in futures.items()}
        behind = any(ends[tp] > position for tp, position in reading.items())
        self._health.note_lag(moved=reading != self._before, behind=behind)
        self._before = reading
