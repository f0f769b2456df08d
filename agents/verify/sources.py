"""The records of one partition that applications wrote: good ones in order; bad and misplaced ones are noted."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from agents.errors import RecordError
from agents.intake import PutsAside
from agents.partition import partitions_of
from agents.records import MAX_ID_BYTES
from agents.runtime.batch import Record
from agents.runtime.transaction import FORWARDED_HEADER
from agents.topics import Topic, Topics
from agents.verify.reading import Reader
from agents.verify.report import PartReport

AT_ONCE = 10_000

Place = tuple[str, int, int]
"""Topic, partition, offset."""
G = TypeVar("G", bound=tuple[Any, ...])
Check = Callable[[Sequence[Record], PutsAside], Iterator[G]]
"""One of the methods of `agents.intake.Intake`."""


@dataclass
class DeadLetters:
    """The dead letters of one user partition: (topic, offset) → reasons."""

    found: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    whole: bool = True
    """False: some are gone already."""

    @classmethod
    def read(cls, reader: Reader, topics: Topics, partition: int) -> "DeadLetters":
        """Those of records of this partition; they are in the partition of the same number."""
        letters, topic = cls(), topics.dead_letters
        start, end = reader.start(topic, partition), reader.end(topic, partition)
        letters.whole = start == 0
        for record in reader.read(topic, partition, start, end):
            headers = dict(record.headers)
            if headers.get("partition") == str(partition).encode():
                place = (headers["topic"].decode(), int(headers["offset"]))
                letters.found.setdefault(place, []).append(headers["reason"].decode())
        return letters

    def failed(self, topic: str, offset: int) -> bool:
        """Whether a good record was put aside because it ended a worker."""
        return "agent_failed" in self.found.get((topic, offset), ())


@dataclass
class Forwards:
    """Misplaced records of all partitions, and the copies in the right ones."""

    misplaced: set[Place] = field(default_factory=set)
    copies: Counter[Place] = field(default_factory=Counter)
    incomplete: set[str] = field(default_factory=set)
    """Topics whose copies may be gone already, by retention or compaction."""

    def check(self, report: PartReport) -> None:
        """Each misplaced record has one copy."""
        for place in sorted(self.misplaced):
            count = self.copies[place]
            name = "{}-{}-{}".format(*place)
            if not count and place[0] not in self.incomplete:
                report.differs("forwarded record missing", name)
            elif count > 1:
                report.differs("forwarded record twice", name, f"{count} copies")


@dataclass
class _Refused:
    """Takes the bad records of `Intake`."""

    reasons: dict[int, str] = field(default_factory=dict)

    def dead_letter(self, record: Record, error: RecordError) -> None:
        self.reasons[record.offset] = error.reason


class Source:
    """One source topic's partition, up to an offset."""

    def __init__(self, reader: Reader, topic: Topic, partition: int, end: int, committed: int, label: str) -> None:
        """`end`: what is in the state; `committed`: of what is before it, everything sent on can be read."""
        self._reader, self._topic, self._partition = reader, topic, partition
        self._end, self.committed, self.label = end, committed, label
        self.start = reader.start(topic, partition)

    def good(self, check: Check[G], letters: DeadLetters, forwards: Forwards, report: PartReport) -> Iterator[G]:
        """What `check` lets pass of the records that belong here; the others are compared with the dead letters."""
        name, refused = self._topic.name, _Refused()
        if self.start or self._topic.cleanup == "compact":
            forwards.incomplete.add(name)
        noted = {offset for topic, offset in letters.found if topic == name}
        there: set[int] = set()
        placed = self._placed(forwards, refused, report, noted, there)
        while some := list(islice(placed, AT_ONCE)):
            yield from check(some, refused)
        if refused.reasons:
            report.add(f"{self.label}: dead letters", len(refused.reasons))
        for offset, reason in refused.reasons.items():
            found = letters.found.get((name, offset), [])
            if not found and letters.whole and offset < self.committed:
                report.differs("dead letter missing", f"{name}-{self._partition}-{offset}", reason)
        for (topic, offset), reasons in letters.found.items():
            if topic != name or offset not in there:
                continue  # not in the state yet, or the record is gone
            place = f"{name}-{self._partition}-{offset}"
            if len(reasons) > 1:
                report.differs("dead letter twice", place, ", ".join(reasons))
            elif offset not in refused.reasons and reasons != ["agent_failed"]:
                report.differs("dead letter of a good record", place, reasons[0])

    def _placed(
        self, forwards: Forwards, refused: _Refused, report: PartReport, noted: set[int], there: set[int]
    ) -> Iterator[Record]:
        """The records whose key belongs here; beyond the end only copies of misplaced records are looked for.

        Offsets of `noted` that are found go into `there`.
        """
        topic, partition = self._topic, self._partition
        records = self._reader.read(topic, partition, self.start, max(self._end, self._reader.end(topic, partition)))
        targets: dict[bytes, int] = {}
        while some := list(islice(records, AT_ONCE)):
            self._aim(some, targets)
            for record in some:
                here = targets.get(record.key or b"", partition) == partition
                copy_of = next((value for header, value in record.headers if header == FORWARDED_HEADER), None)
                if copy_of is not None:
                    _note_copy(topic.name, copy_of, forwards)
                if record.offset >= self._end:
                    continue
                if record.offset in noted:
                    there.add(record.offset)
                report.add(self.label)
                if here:
                    yield record
                elif copy_of is not None:
                    refused.reasons[record.offset] = "wrong_partition"
                else:
                    report.add(f"{self.label}: forwarded")
                    if record.offset < self.committed:
                        forwards.misplaced.add((topic.name, partition, record.offset))

    def _aim(self, records: Iterable[Record], targets: dict[bytes, int]) -> None:
        """Add the right partition of new keys; keys that are no good are checked where they are."""
        new = {record.key for record in records if record.key and len(record.key) <= MAX_ID_BYTES} - targets.keys()
        keys = [key for key in new if key]
        targets.update(zip(keys, partitions_of(keys, self._topic.partitions).tolist(), strict=True))


def _note_copy(topic: str, header: bytes, forwards: Forwards) -> None:
    partition, _, offset = header.decode(errors="replace").partition("-")
    if partition.isdigit() and offset.isdigit():
        forwards.copies[topic, int(partition), int(offset)] += 1
