"""Where to read on in the sources: the committed offsets, compared with what the table's rows stand for.

| committed      | sealed in the changelog | then                                                                |
|----------------|-------------------------|---------------------------------------------------------------------|
| N              | N, or no seal           | on from N                                                           |
| none           | none                    | from the start of the log, unless there are rows: `SetupError`      |
| none           | N                       | on from N: the offsets expired or were deleted, the rows know them  |
| none           | N of another topic      | from the start of the log: the topic was made anew                  |
| less than N    | N                       | `SetupError`: records would count twice                             |
| more than N    | N                       | `SetupError`: rows are lost, or records were skipped                |
| not in the log |                         | `SetupError`: records are lost                                      |
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicPartition
from faust.types import TP

from agents.errors import BrokerError, SetupError
from agents.runtime.clients import committed_consumer
from agents.runtime.refusal import refused
from agents.runtime.seal import Absorbed, Seal
from agents.settings import Settings

log = logging.getLogger(__name__)

STABLE_TIMEOUT_S = 60.0
"""How long undecided transactions of an earlier owner are waited for; the broker ends them after ten seconds or so."""


@contextmanager
def broker_errors(what: str, settings: Settings | None = None, right: str = "") -> Iterator[None]:
    """Turn what librdkafka raises into a `BrokerError` that says what could not be done.

    With `settings`: into an `AccessError` that names the right it takes, if it was that.
    """
    try:
        yield
    except KafkaException as exc:
        if settings is None:
            raise BrokerError(f"{what}: {exc.args[0].str()}") from exc
        raise refused(settings, what, right, exc) from exc
    except TimeoutError as exc:
        raise BrokerError(f"{what}: no answer in time") from exc


@dataclass(frozen=True)
class Committed:
    """What the broker says of one source partition."""

    offset: int | None
    """Next offset that the group committed; None: it did not."""
    low: int
    high: int
    """First offset in the log, and the one after the last."""


@dataclass(frozen=True)
class State:
    """What a restored partition of the table says of its sources."""

    has_rows: bool
    seal: Seal | None


class SourceOffsets:
    """Reads and judges the offsets of one worker's sources."""

    def __init__(self, settings: Settings, group: str, sources: Sequence[str], changelog: str) -> None:
        self._settings, self._group, self._sources, self._changelog = settings, group, sources, changelog

    def committed(self, partitions: Iterable[int]) -> dict[TP, Committed]:
        """Committed offsets, when no transaction with offsets of these partitions is undecided any more.

        Raises `BrokerError`, and `SetupError` for an offset that is not in its log.
        """
        asked = [TopicPartition(topic, partition) for topic in self._sources for partition in sorted(partitions)]
        # read_committed makes librdkafka ask for stable offsets.
        consumer = committed_consumer(self._settings, self._group)
        found = {}
        try:
            with broker_errors("cannot read the committed offsets", self._settings, f"Read on group {self._group}"):
                for place in consumer.committed(asked, STABLE_TIMEOUT_S):
                    if place.error is not None:
                        raise BrokerError(f"committed offset of {place.topic}-{place.partition}: {place.error}")
                    low, high = consumer.get_watermark_offsets(place, STABLE_TIMEOUT_S)
                    tp = TP(place.topic, place.partition)
                    found[tp] = Committed(place.offset if place.offset >= 0 else None, low, high)
        finally:
            consumer.close()
        for tp, committed in found.items():
            if committed.offset is not None:
                self._in_log(tp, committed.offset, committed)
        return found

    def starts(
        self, committed: Mapping[TP, Committed], states: Mapping[int, State], ids: Mapping[str, str]
    ) -> dict[TP, int]:
        """Where to read on in each source partition. Raises `SetupError` if records would be lost or counted twice."""
        known = {tp: self._next(tp, found, states[tp.partition].seal, ids) for tp, found in committed.items()}
        for partition, state in states.items():
            of_partition = [offset for tp, offset in known.items() if tp.partition == partition]
            if state.has_rows and state.seal is None and all(offset is None for offset in of_partition):
                raise SetupError(self._rows_without_offsets(partition))
        return {
            tp: found.low if (offset := known[tp]) is None else self._in_log(tp, offset, found)
            for tp, found in committed.items()
        }

    def _next(self, tp: TP, found: Committed, seal: Seal | None, ids: Mapping[str, str]) -> int | None:
        """Next offset to absorb; None: the group has absorbed nothing of this partition, as far as is known."""
        sealed = seal.sources.get(tp.topic) if seal is not None else None
        if sealed is None or sealed.topic_id != ids.get(tp.topic, ""):
            return found.offset
        if found.offset is None:
            log.warning(
                "topic %s, partition %d: the offsets of group %s are gone (expired, or deleted); going on from %d, "
                "which the rows stand for. To start over, delete topic %s as well",
                tp.topic,
                tp.partition,
                self._group,
                sealed.next_offset,
                self._changelog,
            )
            return sealed.next_offset
        skipped = found.offset > sealed.next_offset and self._settings.accept_lost_records
        if found.offset != sealed.next_offset and not skipped:
            raise SetupError(self._offset_of_other_rows(tp, found.offset, sealed))
        return found.offset

    def _in_log(self, tp: TP, offset: int, found: Committed) -> int:
        """The offset, if it lies in the log. One outside means lost records or another topic."""
        low, high = found.low, found.high
        if low <= offset <= high or self._settings.accept_lost_records:
            return min(max(offset, low), high)
        what = (
            f"records {offset} to {low - 1} were deleted before they were absorbed"
            if offset < low
            else f"the log ends at {high}, before the committed offset {offset}: was the topic made anew?"
        )
        raise SetupError(
            f"topic {tp.topic}, partition {tp.partition}: {what}.\n  "
            "Raise the topic's retention. To go on without these records: PROFILESTREAM_ACCEPT_LOST_RECORDS=true"
        )

    def _offset_of_other_rows(self, tp: TP, offset: int, sealed: Absorbed) -> str:
        ahead = offset > sealed.next_offset
        first, last = sorted((offset, sealed.next_offset))
        what = "are committed, but not in the rows" if ahead else "are in the rows, and would count twice"
        return (
            f"topic {tp.topic}, partition {tp.partition}: records {first} to {last - 1} {what}: "
            + ("the changelog lost its end, or " if ahead else "")
            + "somebody moved the offsets of the group.\n  "
            f"Stop the workers and put the offset back to {sealed.next_offset}: {self._reset(tp, sealed.next_offset)}"
            + (
                "\n  To go on without these records: PROFILESTREAM_ACCEPT_LOST_RECORDS=true"
                if ahead
                else f"\n  {self._start_over()}"
            )
        )

    def _rows_without_offsets(self, partition: int) -> str:
        topics = ", ".join(self._sources)
        return (
            f"{self._changelog}, partition {partition}, has rows, but group {self._group} has no offsets of {topics}: "
            "they expired (a group that is empty for long loses them, see offsets.retention.minutes) or were deleted. "
            "From the start of the log, records would count twice.\n  "
            "Where the offsets are known (a backup, the monitoring of the group's lag), put them back for each topic "
            f"and partition: {self._reset(TP(self._sources[0], partition), 'N')}\n  "
            f"{self._start_over()}"
        )

    def _reset(self, tp: TP, offset: int | str) -> str:
        return (
            f"kafka-consumer-groups --bootstrap-server {self._settings.bootstrap_servers} --group {self._group} "
            f"--topic {tp.topic}:{tp.partition} --reset-offsets --to-offset {offset} --execute"
        )

    def _start_over(self) -> str:
        return (
            f"Or start over from the sources: stop all workers, delete group {self._group}, topic {self._changelog} "
            "and whatever was made from it (the groups and changelogs of the workers behind it), then run "
            "profilestream topics create."
        )
