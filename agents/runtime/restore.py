"""After a rebalance: wait until the last owner's transactions are decided, then bring rows up to the changelog.

committed offsets, once stable ──► changelog to its end of that moment ──► rows ──► do they add up to the seal?
                                                                             └────► absorb from those offsets

A restore that is cut off (the process is killed, another rebalance begins) goes on from the offset that the store has.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
from confluent_kafka import Consumer, TopicCollection, TopicPartition
from faust.types import TP

from agents.errors import BrokerError, SetupError
from agents.runtime.clients import admin_client
from agents.runtime.following import Follower, changelog_consumer, log_bounds, split
from agents.runtime.metrics import Metrics
from agents.runtime.offsets import Committed, SourceOffsets, State, broker_errors
from agents.runtime.progress import Progress
from agents.runtime.seal import EMPTY, Absorbed, Seal
from agents.runtime.store import PartitionStore
from agents.runtime.table import Table
from agents.settings import Settings
from agents.topics import app_id

log = logging.getLogger(__name__)

SILENCE_TIMEOUT_S = 60.0
"""Longer than the broker lets a dead worker's transaction stay open: ten seconds, and ten until it looks."""
WAIT_S = 0.05
QUEUE_KB = 128 * 1024
CHUNK_BYTES = 8 * 1024 * 1024
"""Rows that are taken from the client at once; they are in memory several times until they are written."""
SMALLEST_CHUNK, LARGEST_CHUNK = 500, 20_000
"""The same in records."""


class Restorer:
    """Restores the table's partitions of one worker."""

    def __init__(
        self,
        settings: Settings,
        worker: str,
        sources: Sequence[str],
        table: Table,
        metrics: Metrics,
        show: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`show` is told, now and then, how much is done."""
        self._settings, self._group, self._sources = settings, app_id(settings, worker), sources
        self._table, self._metrics, self._show = table, metrics, show
        self._offsets = SourceOffsets(settings, self._group, sources, table.changelog)

    def restore(self, partitions: frozenset[int], wanted: Callable[[], bool] = lambda: True) -> dict[TP, int]:
        """Bring these partitions up to date. Returns where to go on reading in every source partition.

        Ends early, with nothing, when it is not `wanted` any more: the partitions were given out anew. Raises
        `BrokerError` if the broker is silent and `SetupError` if records are missing that cannot be had again.
        """
        began = time.perf_counter()
        stores = self._table.open(partitions)
        if not partitions:
            return {}
        committed = self._offsets.committed(partitions)
        ids = topic_ids(self._settings, [self._table.changelog, *self._sources])
        self._table.source_ids = ids
        rows, starts = 0, None
        while starts is None:
            rows += self._bring_up(stores, ids[self._table.changelog], wanted)
            if not wanted():
                return {}
            try:
                starts = self._starts(committed, stores, ids)
            except SetupError:
                # The group may have given the partitions to another worker meanwhile, and not have told yet: what that
                # one commits is in the changelog, but not in the offsets that were read before.
                earlier, committed = committed, self._offsets.committed(partitions)
                if all(committed[tp].offset == found.offset for tp, found in earlier.items()):
                    raise
        seconds = time.perf_counter() - began
        self._metrics.observe("restore_seconds", seconds)
        log.info("restored %d partitions: %d changelog records in %.2f s", len(partitions), rows, seconds)
        return starts

    def _bring_up(self, stores: Mapping[int, PartitionStore], topic_id: str, wanted: Callable[[], bool]) -> int:
        """Read every partition to the end that it has now. Returns the number of records."""
        rows, left = 0, dict(stores)
        while left and wanted():
            bounds = log_bounds(self._settings, f"{self._group}-restore", self._table.changelog, left)
            followers = {p: Follower(p, store, topic_id, bounds[p]) for p, store in left.items()}
            ends = {p: high for p, (_, high) in bounds.items()}
            consumer = changelog_consumer(self._settings, f"{self._group}-restore", QUEUE_KB)
            try:
                right = f"Describe on group {self._group}-restore"
                with broker_errors(f"cannot read {self._table.changelog}", self._settings, right):
                    reading = _Reading(consumer, self._table.changelog, followers, ends, self._metrics, self._show)
                    rows += reading.run(wanted)
            finally:
                consumer.close()
            left = {p: follower.store for p, follower in followers.items() if not self._accepted(follower)}
        return rows

    def _accepted(self, follower: Follower) -> bool:
        """Whether the rows are as they were written. If local rows are not, they are wiped: the log has them all."""
        tally, seal = follower.position.tally, follower.position.seal
        if tally is None or seal is None or tally == seal.tally:
            return True
        what = (
            f"partition {follower.partition}: {tally.rows} rows (sum {tally.sum:x}) do not add up to what was written: "
            f"{seal.tally.rows} rows (sum {seal.tally.sum:x})"
        )
        if not follower.fresh:
            log.warning("%s; restoring it from the start", what)
            follower.store.wipe()
            return False
        if self._settings.accept_lost_records:
            log.warning("%s; accepted", what)
            return True
        raise SetupError(
            f"{self._table.changelog}, {what}.\n  "
            "Records of the changelog were lost (is it compacted only, replicated, without unclean leader election?), "
            "or another program wrote to it. Bring the topic back from a replica or a backup.\n  "
            "To go on with the rows that are there: PROFILESTREAM_ACCEPT_LOST_RECORDS=true"
        )

    def _starts(
        self, committed: Mapping[TP, Committed], stores: Mapping[int, PartitionStore], ids: Mapping[str, str]
    ) -> dict[TP, int]:
        """Where to read on. What is absorbed is written into the position: the next seal has it all."""
        states = {}
        for partition, store in stores.items():
            position = store.position()
            tally = position.tally if position is not None else None
            has_rows = tally is not None and tally.rows > 0
            states[partition] = State(has_rows, position.seal if position is not None else None)
        starts = self._offsets.starts(committed, states, ids)
        for partition, store in stores.items():
            position = store.position()
            assert position is not None, "a restored store has a position"
            seal = states[partition].seal
            sources = dict(seal.sources) if seal is not None else {}
            for tp, found in committed.items():
                if tp.partition == partition and (found.offset is not None or tp.topic in sources):
                    sources[tp.topic] = Absorbed(starts[tp], ids.get(tp.topic, ""))
            sealed = Seal(position.tally or EMPTY, sources)
            if sealed != seal:
                store.write({}, msgspec.structs.replace(position, seal=sealed))
        return starts


def topic_ids(settings: Settings, topics: Sequence[str]) -> dict[str, str]:
    """Id of each topic; empty where the broker does not tell. Raises `BrokerError`."""
    if settings.embedded:
        return dict.fromkeys(topics, "")
    admin = admin_client(settings)
    with broker_errors("cannot describe the topics"):
        futures = admin.describe_topics(TopicCollection(list(topics)))
        return {name: str(future.result(SILENCE_TIMEOUT_S).topic_id) for name, future in futures.items()}


class _Reading:
    """One pass over the changelog partitions."""

    def __init__(
        self,
        consumer: Consumer,
        changelog: str,
        followers: Mapping[int, Follower],
        ends: Mapping[int, int],
        metrics: Metrics,
        show: Callable[[str], None],
    ) -> None:
        self._consumer, self._changelog, self._followers, self._ends = consumer, changelog, followers, ends
        self._progress = Progress(self._left(), metrics, show)

    def _left(self) -> int:
        return sum(max(self._ends[p] - 1 - follower.position.offset, 0) for p, follower in self._followers.items())

    def run(self, wanted: Callable[[], bool]) -> int:
        """Read to the ends. Returns the number of records."""
        left, most = set(self._followers), SMALLEST_CHUNK
        places = [TopicPartition(self._changelog, p, follower.first) for p, follower in self._followers.items()]
        self._consumer.assign(places)
        while left and wanted():
            messages = self._consumer.consume(most, WAIT_S)
            if not messages and self._progress.silent_s > SILENCE_TIMEOUT_S:
                raise BrokerError(
                    f"{self._changelog} could not be restored: for {SILENCE_TIMEOUT_S:.0f} s the broker did not "
                    "answer, or a transaction stayed open"
                )
            chunks, passed = split(messages)
            for partition, chunk in chunks.items():
                self._followers[partition].apply(chunk)
            for partition, end in passed.items():
                self._followers[partition].passed(end)
                if end >= self._ends[partition] and partition in left:
                    left.discard(partition)
                    self._followers[partition].complete()
            size = sum(map(len, messages))
            self._progress.add(len(messages) - len(passed), size, self._left(), heard=bool(messages))
            if messages:
                most = min(max(CHUNK_BYTES * len(messages) // (size + 1), SMALLEST_CHUNK), LARGEST_CHUNK)
        self._progress.done()
        return self._progress.rows
