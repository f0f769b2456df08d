"""One user partition: its events replayed one by one, and compared with the rows found.

    events ──► good ──► plain profile of each user ──┐
                 └─ triggers ──► one answer each     ├── compared
    users ──► declarations ──────────────────────────┤
    changelog ──► rows as of the cut ────────────────┘

Events and declarations are read side by side by the workers, so which event came first after an erasure or a refused
consent is not in the topics: the row of such a user must be what some last part of the user's events makes of it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.intake import Intake
from agents.records import Event, User
from agents.runtime.batch import Record
from agents.settings import Settings
from agents.topics import DAY_MS, Topics
from agents.users import MOST_ROW_BYTES, profile_config
from agents.verify.compare import differing, misses
from agents.verify.lists import Answers
from agents.verify.moment import Moment, later
from agents.verify.reading import Reader
from agents.verify.report import Kind, PartReport
from agents.verify.sources import Check, DeadLetters, Forwards, G, Source
from agents.verify.table import HistorySums, ProfileRows
from agents.verify.words import CatalogueWords
from models.plain import PlainProfile
from models.profile import Profile

FULL_SHARE = 0.5
"""A row so near to its limit may have given up a part of its history, some time ago."""
MOST_TRIES = 1_000
"""So many last parts of a user's events are tried."""


@dataclass
class _Expected:
    """What is known of one user from the sources."""

    plain: PlainProfile = field(default_factory=PlainProfile)
    certain: bool = True
    """Whether the words of all items are certain."""
    declared: User | None = None
    """The newest declaration that counts; None: none, or the user was erased after it."""
    kept: list[tuple[Event, int, int]] | None = None
    """Event, its time, Kafka time: kept for users who were erased or refused consent."""


@dataclass
class UserPartition:
    """The audit of one partition; `run` is all there is to call."""

    reader: Reader
    settings: Settings
    topics: Topics
    partition: int
    moment: Moment
    words: CatalogueWords
    histories: HistorySums
    forwards: Forwards

    def run(self) -> PartReport:
        """Read, replay, compare."""
        self._report = PartReport("users", self.partition)
        self._config = profile_config(self.settings)
        self._intake = Intake(self.settings)
        due = {q: cuts.get(self.partition, {}) for q, cuts in self.moment.histories.items()}
        table = ProfileRows(self._report, self.histories, due)
        table.read(self.reader, self.topics.profiles_changelog, self.partition)
        self._report.cut = later(table.cut, self.moment.committed[self.partition])
        self._letters = DeadLetters.read(self.reader, self.topics, self.partition)
        if not self._letters.whole:
            name = self.topics.dead_letters.name
            self._report.notes.append(f"the first records of {name} are gone: missing letters are not looked for")
        self._answers = Answers(self.reader, self.topics, self.partition, self.moment, self._report)
        self._users: dict[str, _Expected] = {}
        self._declare(table)
        whole = self._replay(table)
        self._requests()
        self._compare(table, whole)
        return self._report

    def _source(self, name: str) -> Source:
        topic = getattr(self.topics, name)
        committed = self.moment.committed[self.partition].get(topic.name, 0)
        return Source(self.reader, topic, self.partition, self._report.cut.get(topic.name, 0), committed, name)

    def _good(self, source: Source, check: Check[G]) -> Iterator[G]:
        """Good records that were absorbed; those that ended a worker were not."""
        for entry in source.good(check, self._letters, self.forwards, self._report):
            if self._letters.failed(entry[0].topic, entry[0].offset):
                self._report.add(f"{source.label}: dead letters")
            else:
                yield entry

    def _declare(self, table: ProfileRows) -> None:
        """The newest declaration of each user; who was erased or refused consent ever."""
        forgotten_ms = time.time() * 1000 - self.settings.erasure_kept_days * DAY_MS
        for record, user in self._good(self._source("users"), self._intake.users):
            name = (record.key or b"").decode()
            expected = self._expected(name, table)
            if user is None or not user.consent:
                expected.kept = expected.kept or []
                expected.declared = user
                if record.timestamp > max(table.erased_ms(name), forgotten_ms):
                    self._report.differs(
                        "erasure missing", f"{record.topic}-{self.partition}-{record.offset}", user=name
                    )
            elif record.timestamp >= table.erased_ms(name):
                expected.declared = user
        for name, offset, profile, _ in table.profiles():
            if profile is None:
                place = f"{self.topics.profiles_changelog.name}-{self.partition}-{offset}"
                self._report.differs("row unreadable", place, user=name)
            elif not profile.consent:
                expected = self._expected(name, table)
                expected.kept = expected.kept or []
        self._report.add("rows", len(table.rows))

    def _expected(self, user: str, table: ProfileRows) -> _Expected:
        expected = self._users.get(user)
        if expected is None:
            expected = self._users[user] = _Expected(kept=[] if table.erased_ms(user) else None)
        return expected

    def _replay(self, table: ProfileRows) -> bool:
        """All events, in order. Returns whether they begin at the beginning."""
        source, name = self._source("events"), self.topics.events.name
        triggers = frozenset(self.settings.trigger_types)
        for record, event, at_ms in self._good(source, self._intake.events):
            expected = self._users.get(event.user_id) or self._expected(event.user_id, table)
            item = event.item_id or ""
            if expected.certain and item and not self.words.certain(item, record.timestamp):
                expected.certain = False
            if expected.kept is not None:
                expected.kept.append((event, at_ms, record.timestamp))
                new = True
                self._report.add("events: of users erased or without consent")
            else:
                new = expected.plain.absorb(event, at_ms, self._config, self.words.of(item))
                self._report.add("events: absorbed" if new else "events: doubles")
            if new and event.event_type in triggers and record.offset < source.committed:
                self._due(record, expected.kept is None, event.user_id)
        self._answers.unasked(f"{name}-{self.partition}", source.start, source.committed)
        if source.start:
            self._report.notes.append(
                f"{name} begins at {source.start}: profiles are only checked to contain what is left of it"
            )
        return not source.start

    def _requests(self) -> None:
        source, name = self._source("requests"), self.topics.requests.name
        for record, _ in self._good(source, self._intake.requests):
            if record.offset < source.committed:
                self._due(record, True, (record.key or b"").decode())
        self._answers.unasked(f"{name}-{self.partition}", source.start, source.committed)

    def _due(self, record: Record, owed: bool, user: str) -> None:
        trigger = f"{record.topic}-{record.partition}-{record.offset}"
        self._answers.due(trigger, record.timestamp, owed=owed, user=user)

    def _compare(self, table: ProfileRows, whole: bool) -> None:
        changelog = f"{self.topics.profiles_changelog.name}-{self.partition}"
        nobody = _Expected()
        for user, offset, profile, size in table.profiles():
            if profile is None:
                continue
            names = self._differing(profile, self._users.get(user, nobody), whole, table.erased_ms(user))
            if size > MOST_ROW_BYTES * FULL_SHARE and "history" in names:
                self._report.add("histories that may be shorter: the row became too large")
                names.remove("history")
            if names:
                kind: Kind = "profile differs" if user in self._users or not whole else "no source for profile"
                self._report.differs(kind, f"{changelog}-{offset}", ", ".join(names), user)
        for user, expected in self._users.items():
            if user.encode() not in table.rows:
                names = self._differing(Profile(), expected, whole, table.erased_ms(user))
                if names:
                    self._report.differs("profile missing", changelog, ", ".join(names), user)

    def _differing(self, found: Profile, expected: _Expected, whole: bool, erased_ms: int) -> list[str]:
        """Names of what differs between a row and the sources."""
        names = self._declaration_differs(found, expected)
        if not found.consent:
            return names + differing(found, PlainProfile(), self._config)
        if expected.kept is not None:
            return names + self._last_part_differs(found, expected.kept, whole, erased_ms)
        plain = expected.plain
        if not whole:
            return names + misses(found, plain, self._config)
        different = differing(found, plain, self._config)
        if "interests" in different and (not expected.certain or len(plain.interests) > self._config.interests_kept):
            self._report.add("interests that may differ: the catalogue changed meanwhile, or there are too many")
            different.remove("interests")
        return names + different

    def _last_part_differs(
        self, found: Profile, kept: list[tuple[Event, int, int]], whole: bool, erased_ms: int
    ) -> list[str]:
        events = [(event, at_ms) for event, at_ms, record_ms in kept if min(record_ms, at_ms) > erased_ms]
        for count in range(min(found.events, len(events)), min(len(events), found.events + MOST_TRIES) + 1):
            plain = PlainProfile()
            for event, at_ms in events[len(events) - count :]:
                plain.absorb(event, at_ms, self._config, self.words.of(event.item_id or ""))
            if not set(differing(found, plain, self._config)) - {"interests"}:
                return []
        return ["history of an erased user"] if whole else []

    @staticmethod
    def _declaration_differs(found: Profile, expected: _Expected) -> list[str]:
        user = expected.declared
        names = []
        if found.consent != (user is None or user.consent):
            names.append("consent")
        attributes, interests = (user.attributes, user.interests) if user is not None and user.consent else ({}, [])
        if (found.attributes, found.declared) != (attributes, interests):
            names.append("attributes")
        return names
