"""What the auditor finds in the records that applications wrote, and in the answers to them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from agents.intake import Intake
from agents.packed import CANDIDATES, Candidates
from agents.partition import partition_of
from agents.runtime.reading import ReadRecord
from agents.settings import read_settings
from agents.topics import Topic, build_topics
from agents.verify.lists import Answers
from agents.verify.moment import Moment
from agents.verify.reading import Reader
from agents.verify.report import PartReport
from agents.verify.sources import Check, DeadLetters, Forwards, Source

SETTINGS = read_settings(user_partitions=2)
TOPICS = build_topics(SETTINGS)
KEY = next(key for key in (b"u%d" % n for n in range(100)) if partition_of(key, 2) == 0)
GOOD = b'{"user_id":"%s","event_type":"view","item_id":"a"}' % KEY
ELSEWHERE = next(key for key in (b"u%d" % n for n in range(100)) if partition_of(key, 2) == 1)
NOWHERE = Moment({}, defaultdict(dict), {}, {}, frozenset())


class LogReader(Reader):
    """Reads lists of records in place of a broker's topics."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[ReadRecord]] = defaultdict(list)
        self.starts: dict[tuple[str, int], int] = {}

    def add(
        self, to: Topic, value: bytes, key: bytes = KEY, at: int = 0, headers: Mapping[str, str] = MappingProxyType({})
    ) -> int:
        """Append a record; returns its offset."""
        log = self.records[to.name, at]
        packed = [(name, header.encode()) for name, header in headers.items()]
        log.append(ReadRecord(to.name, at, len(log), 1_000, key, value, packed))
        return len(log) - 1

    def start(self, topic: Topic, partition: int) -> int:
        return self.starts.get((topic.name, partition), 0)

    def end(self, topic: Topic, partition: int) -> int:
        log = self.records[topic.name, partition]
        return log[-1].offset + 1 if log else 0

    def stable_end(self, topic: Topic, partition: int) -> int:
        return self.end(topic, partition)

    def read(self, topic: Topic, partition: int, start: int, end: int) -> Iterator[ReadRecord]:
        return (record for record in self.records[topic.name, partition] if start <= record.offset < end)

    def letter(self, offset: int, reason: str, topic: Topic = TOPICS.events) -> None:
        """Append a dead letter."""
        headers = {"topic": topic.name, "partition": "0", "offset": str(offset), "reason": reason}
        self.add(TOPICS.dead_letters, b"", headers=headers)


@pytest.fixture
def reader() -> LogReader:
    return LogReader()


def kinds(report: PartReport) -> list[str]:
    return [one.kind for one in report.differences]


def check(reader: LogReader, topic: Topic = TOPICS.events, partitions: int = 1) -> tuple[list[int], list[str]]:
    """Offsets of the good records, and kinds of the differences."""
    report, forwards, intake = PartReport("users", 0), Forwards(), Intake(SETTINGS)
    good = []
    for partition in range(partitions):
        end = reader.end(topic, partition)
        letters = DeadLetters.read(reader, TOPICS, partition)
        source = Source(reader, topic, partition, end, end, "source")
        checks: dict[Topic, Check[Any]] = {TOPICS.events: intake.events, TOPICS.users: intake.users}
        good += [entry[0].offset for entry in source.good(checks[topic], letters, forwards, report)]
    forwards.check(report)
    return good, kinds(report)


def test_good_and_bad_records_with_their_letters_are_equal(reader: LogReader) -> None:
    reader.add(TOPICS.events, GOOD)
    reader.letter(reader.add(TOPICS.events, b"{"), "bad_json")
    assert check(reader) == ([0], [])


def test_a_bad_record_without_a_letter_is_found(reader: LogReader) -> None:
    reader.add(TOPICS.events, b"{")
    assert check(reader) == ([], ["dead letter missing"])


def test_a_second_letter_is_found(reader: LogReader) -> None:
    offset = reader.add(TOPICS.events, b"{")
    reader.letter(offset, "bad_json")
    reader.letter(offset, "bad_json")
    assert check(reader) == ([], ["dead letter twice"])


def test_a_letter_of_a_good_record_is_found_unless_it_ended_a_worker(reader: LogReader) -> None:
    reader.letter(reader.add(TOPICS.events, GOOD), "bad_json")
    reader.letter(reader.add(TOPICS.events, GOOD), "agent_failed")
    assert check(reader) == ([0, 1], ["dead letter of a good record"])


def test_a_record_that_compaction_took_away_says_nothing_of_its_letter(reader: LogReader) -> None:
    reader.add(TOPICS.users, b'{"user_id":"%s"}' % KEY)
    reader.letter(reader.add(TOPICS.users, b"{"), "bad_json", TOPICS.users)
    reader.add(TOPICS.users, b'{"user_id":"%s"}' % KEY)
    del reader.records[TOPICS.users.name, 0][1]
    assert check(reader, TOPICS.users) == ([0, 2], [])


@pytest.mark.parametrize(
    ("copies", "found"), [(0, ["forwarded record missing"]), (1, []), (2, ["forwarded record twice"])]
)
def test_a_misplaced_record_has_one_copy(reader: LogReader, copies: int, found: list[str]) -> None:
    value = GOOD.replace(KEY, ELSEWHERE)
    offset = reader.add(TOPICS.events, value, ELSEWHERE)
    for _ in range(copies):
        reader.add(TOPICS.events, value, ELSEWHERE, 1, {"forwarded": f"0-{offset}"})
    assert check(reader, partitions=2) == (list(range(copies)), found)


def test_a_copy_of_a_declaration_may_be_compacted_away(reader: LogReader) -> None:
    reader.add(TOPICS.users, b'{"user_id":"%s"}' % ELSEWHERE, ELSEWHERE)
    assert check(reader, TOPICS.users, 2) == ([], [])


def answered(reader: LogReader, owed: bool = True) -> list[str]:
    """Kinds of differences, if event 0 was to be answered and event 1 was not."""
    report = PartReport("users", 0)
    answers = Answers(reader, TOPICS, 0, NOWHERE, report)
    answers.due(f"{TOPICS.events.name}-0-0", 1_000, owed=owed, user="u")
    answers.unasked(f"{TOPICS.events.name}-0", 0, 2)
    return kinds(report)


def add_list(reader: LogReader, *offsets: int) -> None:
    names = [f"{TOPICS.events.name}-0-{offset}" for offset in offsets]
    reader.add(TOPICS.recommendations, json.dumps({"recommendation_id": names[-1], "triggers": names}).encode())


def test_a_list_that_is_missing_twice_or_unasked_for_is_found(reader: LogReader) -> None:
    assert answered(reader, owed=False) == []
    assert answered(reader) == ["list missing"]
    add_list(reader, 0)
    assert answered(reader) == []
    add_list(reader, 1)
    assert answered(reader) == ["list without trigger"]
    add_list(reader, 0)
    assert answered(reader) == ["list twice", "list without trigger"]


def test_candidates_that_wait_and_outcomes_are_answers_too(reader: LogReader) -> None:
    name = f"{TOPICS.events.name}-0-0"
    waiting = Candidates("u", name, [name], None, 1, 1, 0, [], [], [], [], b"", b"", 0)
    stale = {"recommendation_id": name, "outcome": "stale", "triggers": [name]}
    reader.add(TOPICS.candidates, CANDIDATES.write(waiting))
    assert answered(reader) == []
    reader.add(TOPICS.outcomes, json.dumps(stale).encode())
    assert answered(reader) == []
    reader.add(TOPICS.outcomes, json.dumps(stale).encode())
    assert answered(reader) == ["list twice"]
