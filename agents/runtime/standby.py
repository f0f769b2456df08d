"""Standby stores: copies of the partitions that other workers own, so that one that is lost is taken over at once.

The store of a partition is the same whether it is owned or stood by: rows, the changelog offset that they stand for, a
tally. A thread follows the changelogs (committed records only) and writes into the stores; before the worker restores
partitions that it was given, the thread lets go of their stores, and the restore reads what is missing, with the checks
of any local store. Rows that do not add up to their seal are thrown away and copied anew.

All partitions that the worker does not own are followed: with W workers, each holds the whole table, W copies in all.
The thread works at most a quarter of the time, and holds no more than one chunk and a queue of 16 MB in memory.
"""

import logging
import threading
import time
from contextlib import suppress

from confluent_kafka import Consumer, TopicPartition

from agents.errors import AccessError, BrokerError
from agents.runtime.following import Follower, changelog_consumer, log_bounds, split
from agents.runtime.metrics import Metrics
from agents.runtime.offsets import broker_errors
from agents.runtime.restore import topic_ids
from agents.runtime.store import PartitionStore
from agents.runtime.table import Table
from agents.settings import Settings
from agents.topics import app_id

log = logging.getLogger(__name__)

SHARE = 0.25
"""Part of the time that the thread works; the rest is the worker's own."""
WAIT_S = 0.2
RETRY_S = 5.0
"""After an error of the broker."""
QUEUE_KB = 16 * 1024
CHUNK = 2_000
REFRESH_MS = 600_000
"""A store that has seen nothing new for so long is noted down as complete: local state that is old is thrown away."""
RELEASE_TIMEOUT_S = 60.0


class Standbys:
    """Follows the partitions that it is told to. One thread; all stores are its own until it lets go of them."""

    def __init__(self, settings: Settings, worker: str, table: Table, metrics: Metrics) -> None:
        self._settings, self._group, self._table, self._metrics = settings, app_id(settings, worker), table, metrics
        self._change = threading.Condition()
        self._wanted: frozenset[int] = frozenset()
        self._followers: dict[int, Follower] = {}
        self._behind: set[int] = set()
        self._wiped: set[int] = set()
        self._given_up: set[int] = set()
        self._caught_up = False
        self._began = 0.0
        self._stop = False
        self._thread: threading.Thread | None = None

    def follow(self, partitions: frozenset[int]) -> None:
        """Follow exactly these. When it returns, the stores of all others are closed. Raises `BrokerError`."""
        with self._change:
            self._wanted = partitions
            if self._thread is None and partitions:
                self._thread = threading.Thread(target=self._run, name="standby", daemon=True)
                self._thread.start()
            self._change.notify_all()
            if not self._change.wait_for(lambda: set(self._followers) <= self._wanted, RELEASE_TIMEOUT_S):
                raise BrokerError("the standby stores could not be closed in time")

    def release(self, partitions: frozenset[int]) -> None:
        """Let go of these partitions: their stores are closed when it returns. Raises `BrokerError`."""
        self.follow(self._wanted - partitions)

    def close(self) -> None:
        """End the thread."""
        with self._change:
            self._stop = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()

    @property
    def complete(self) -> bool:
        """Whether every partition that is to be followed was seen to its end."""
        return not self._wanted or self._caught_up

    def _run(self) -> None:
        while not self._stop:
            try:
                right = f"Describe on group {self._group}-standby"
                with broker_errors("the standby stores cannot follow", self._settings, right):
                    self._follow_wanted()
            except (AccessError, BrokerError) as exc:
                log.warning("%s; tried again in %.0f s", exc, RETRY_S)
                self._pause(RETRY_S)
            except Exception:
                log.exception("the standby stores of partitions %s are given up", sorted(self._wanted))
                self._given_up |= self._wanted

    def _changed(self, wanted: frozenset[int]) -> bool:
        """Whether others than these are to be followed."""
        return self._stop or self._wanted - self._given_up != wanted

    def _pause(self, seconds: float) -> None:
        with self._change:
            wanted = self._wanted
            self._change.wait_for(lambda: self._stop or self._wanted != wanted, seconds)

    def _follow_wanted(self) -> None:
        """Open the wanted stores and follow them until others are wanted."""
        with self._change:
            self._change.wait_for(lambda: self._stop or self._wanted - self._given_up)
            wanted = self._wanted - self._given_up
        if self._stop:
            return
        changelog = self._table.changelog
        topic_id = topic_ids(self._settings, [changelog])[changelog]
        bounds = log_bounds(self._settings, f"{self._group}-standby", changelog, wanted)
        consumer = changelog_consumer(self._settings, f"{self._group}-standby", QUEUE_KB)
        try:
            with self._change:  # nobody may be told that a store is closed while it is opened
                if self._changed(wanted):
                    return
                self._behind, self._caught_up = set(wanted), False
                for partition in sorted(wanted):
                    store = PartitionStore(self._table.path(partition))
                    self._followers[partition] = Follower(partition, store, topic_id, bounds[partition])
            places = [TopicPartition(changelog, p, follower.first) for p, follower in self._followers.items()]
            consumer.assign(places)
            log.info("standby for partitions %s", sorted(wanted))
            while not self._changed(wanted) and self._step(consumer, wanted):
                continue
        finally:
            with self._change:
                for follower in self._followers.values():
                    with suppress(Exception):  # RocksDB says again what was wrong with a write
                        follower.store.close()
                self._followers.clear()
                self._change.notify_all()
            consumer.close()

    def _step(self, consumer: Consumer, wanted: frozenset[int]) -> bool:
        """Take one chunk. False: rows were thrown away, and are to be copied anew."""
        messages = consumer.consume(CHUNK, WAIT_S)
        self._began = time.monotonic()
        chunks, passed = split(messages)
        for partition, chunk in chunks.items():
            self._metrics.add("standby_rows_total", self._followers[partition].apply(chunk))
        for partition, end in passed.items():
            self._followers[partition].passed(end)
            if partition in self._behind:
                for _ in self._followers[partition].completing():
                    self._rest()
                    if self._changed(wanted):
                        return True
                self._behind.discard(partition)
                self._caught_up = not self._behind
        self._look(consumer)
        sound = self._throw_away_broken()
        self._rest()
        return sound

    def _rest(self) -> None:
        """Leave the rest of the time to the worker."""
        self._pause((time.monotonic() - self._began) * (1 / SHARE - 1))
        self._began = time.monotonic()

    def _look(self, consumer: Consumer) -> None:
        """See how far behind the stores are; note those down as complete that are not."""
        left, now_ms = 0, int(time.time() * 1000)
        for partition, follower in self._followers.items():
            _, high = consumer.get_watermark_offsets(TopicPartition(self._table.changelog, partition), cached=True)
            missing = max(high - 1 - follower.position.offset, 0)
            left += missing
            if not missing and partition not in self._behind and now_ms - follower.position.at_ms > REFRESH_MS:
                follower.refresh(now_ms)
        self._metrics.set("standby_left_records", left)

    def _throw_away_broken(self) -> bool:
        """Wipe stores whose rows do not add up to their seal; those that come out wrong again are given up."""
        broken = {partition for partition, follower in self._followers.items() if not follower.sound}
        for partition in broken:
            log.warning("standby for partition %d: the rows do not add up to what was written; wiped", partition)
            self._followers[partition].store.wipe()
        self._given_up |= broken & self._wiped
        self._wiped |= broken
        return not broken
