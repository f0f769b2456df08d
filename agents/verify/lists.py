"""One list, or one outcome that says why not, for every triggering event and every request."""

from collections import Counter

import msgspec

from agents.packed import CANDIDATES
from agents.topics import Topic, Topics
from agents.verify.moment import Moment
from agents.verify.reading import Reader
from agents.verify.report import PartReport


class _Answer(msgspec.Struct, gc=False):
    """What is looked at of a list or an outcome."""

    recommendation_id: str = ""
    triggers: list[str] = []
    outcome: str = ""


_read_answer = msgspec.json.Decoder(_Answer).decode


class Answers:
    """All answers of one partition, and what still waits for one. Read after `moment` was found."""

    def __init__(self, reader: Reader, topics: Topics, partition: int, moment: Moment, report: PartReport) -> None:
        self._report = report
        self._found: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._since_ms = 0
        """Answers to older records may be gone."""
        scored = moment.scored[partition].get(topics.candidates.name, 0)
        first = reader.start(topics.candidates, partition)
        if first > scored:
            report.notes.append("candidates were deleted before they were scored: lists that are missing are not found")
        self._all_there = first <= scored
        for record in reader.read(
            topics.candidates, partition, max(first, scored), reader.end(topics.candidates, partition)
        ):
            self._waiting.update(CANDIDATES.read(record.value or b"").triggers)
        for topic in (topics.recommendations, topics.outcomes):
            self._read(reader, topic, partition)

    def _read(self, reader: Reader, topic: Topic, partition: int) -> None:
        start, first = reader.start(topic, partition), True
        for record in reader.read(topic, partition, start, reader.end(topic, partition)):
            if first and start > 0:
                self._since_ms = max(self._since_ms, record.timestamp)
                self._report.notes.append(f"{topic.name} begins at {start}: lists of older records are not verified")
            first = False
            try:
                answer = _read_answer(record.value or b"{}")
            except msgspec.DecodeError:
                continue  # not the scorer's: the profiles worker puts it aside
            if answer.outcome == "expired":
                self._found[answer.recommendation_id] += 1
            elif answer.outcome in {"", "stale"}:
                self._found.update(answer.triggers)
                self._report.add("lists" if not answer.outcome else "stale")

    def due(self, trigger: str, timestamp_ms: int, *, owed: bool, user: str) -> None:
        """A record that triggers a list; `owed`: there must be an answer, else there may be one."""
        found, waiting = self._found.pop(trigger, 0), self._waiting.get(trigger, 0)
        self._report.add("triggers")
        if found > 1 or waiting > 1:
            self._report.differs("list twice", trigger, f"{max(found, waiting)} answers", user)
        elif not found and waiting:
            self._report.add("lists waiting for the scorer")
        elif not found and owed and self._all_there and timestamp_ms >= self._since_ms:
            self._report.differs("list missing", trigger, user=user)

    def unasked(self, source: str, first: int, end: int) -> None:
        """What answers no trigger among the records of a source ("topic-partition") from `first` to before `end`."""
        for trigger, count in self._found.items():
            name, _, offset = trigger.rpartition("-")
            if name == source and first <= int(offset) < end:
                self._report.differs("list without trigger", trigger, f"{count} answers")
