"""The rows of one profiles partition at a cut, and on the way there the co-counts that their histories stand for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from agents.cuts import Places
from agents.erasures import PREFIX, erasure_key
from agents.errors import RecordError
from agents.packed import ERASURE, PROFILE
from agents.partition import partitions_of
from agents.topics import Topic
from agents.verify.moment import within
from agents.verify.reading import Reader
from agents.verify.report import PartReport
from agents.verify.sealed import Pending, SealedLog
from models.checksums import Hashes, RowSums
from models.interning import Interner
from models.profile import STRENGTH_STEPS, Profile, unpack_contact

HISTORIES_AT_ONCE = 2_000

Row = tuple[int, bytes]
"""Changelog offset, packed value."""


class HistorySums:
    """Σ pairs(H_u) over the histories of all user partitions, for each item partition at its own cut."""

    def __init__(self, window: int, partitions: int, seed: int) -> None:
        self.items = Interner()
        self.hashes = Hashes(self.items, seed)
        self.sums = RowSums(self.hashes)
        self._window, self._partitions = window, partitions
        self._partition_of = np.zeros(0, np.int64)

    def add(self, rows: Iterable[bytes], of: Iterable[int], sign: int = 1) -> None:
        """Add the histories of packed profiles to the rows of these item partitions."""
        wanted, profiles = list(of), filter(None, map(read_profile, rows))
        while part := list(islice(profiles, HISTORIES_AT_ONCE)):
            histories = [self.items.numbers(profile.contacts.ids()) for profile in part]
            mine = self.of_partitions(wanted)
            self.sums.add_histories(histories, self._window, sign, mine)
            rated = np.array([pair for one in part for pair in self._ratings(one)], np.int64).reshape(-1, 2)
            rated = rated[np.isin(rated[:, 0], mine)]
            self.sums.add_ratings(rated[:, 0], rated[:, 1], np.ones(len(rated), np.int64), sign)

    def _ratings(self, profile: Profile) -> Iterator[tuple[int, int]]:
        """Item number and rating in thousandths of what a user rated; not by `ratings_of`, which is what is audited."""
        for item, contact in profile.contacts.items():
            _, rating, is_rating = unpack_contact(contact)
            if is_rating:
                yield self.items.number(item), round(rating * STRENGTH_STEPS)

    def of_partitions(self, partitions: Iterable[int]) -> NDArray[np.int64]:
        """Numbers of the known items that belong to these partitions, ascending."""
        known = len(self._partition_of)
        if known < len(self.items):
            fresh = partitions_of([item.encode() for item in self.items.ids[known:]], self._partitions)
            self._partition_of = np.concatenate([self._partition_of, fresh])
        return np.flatnonzero(np.isin(self._partition_of, list(partitions)))


def read_profile(row: bytes) -> Profile | None:
    """The profile of a row; None if it cannot be read."""
    try:
        return PROFILE.read(row)
    except RecordError:
        return None


@dataclass
class ProfileRows:
    """Rows by key as of `cut`. While they are read, histories are summed up at the cuts of the moment."""

    report: PartReport
    expected: HistorySums
    due: dict[int, Places]
    """Item partition → the cut at which the histories count for it; taken out when that is passed."""
    rows: dict[bytes, Row] = field(default_factory=dict)
    """Profiles, and erasures under the hashes of their users."""
    cut: Places = field(default_factory=dict)
    _summed: bool = False

    def read(self, reader: Reader, changelog: Topic, partition: int) -> None:
        """Read to the end as it is now."""
        log = SealedLog(reader, changelog, partition)
        for pending in log.transactions():
            if log.seal is not None:
                self.cut = {topic: absorbed.next_offset for topic, absorbed in log.seal.sources.items()}
                self._pass([q for q, places in self.due.items() if not within(self.cut, places)])
            self._apply(pending)
        self._pass(list(self.due))
        log.check({key: value for key, (_, value) in self.rows.items()}, self.report)

    def erased_ms(self, user: str) -> int:
        """Kafka time up to which nothing of a user counts; 0: all counts."""
        row = self.rows.get(key := erasure_key(user.encode()))
        if row is None:
            return 0
        try:
            return ERASURE.read(row[1]).at_ms
        except RecordError:
            self.report.differs("row unreadable", f"changelog offset {row[0]}, erasure {key.hex()}")
            return 0

    def profiles(self) -> Iterator[tuple[str, int, Profile | None, int]]:
        """User, changelog offset, profile (None: unreadable), bytes."""
        for key, (offset, value) in self.rows.items():
            if not key.startswith(PREFIX):
                yield key.decode(errors="replace"), offset, read_profile(value), len(value)

    def _pass(self, partitions: list[int]) -> None:
        """The rows as they are count for these item partitions."""
        if partitions and not self._summed:
            self._summed = True
            self.expected.add((value for key, (_, value) in self.rows.items() if not key.startswith(PREFIX)), self.due)
        for q in partitions:
            del self.due[q]

    def _apply(self, pending: Pending) -> None:
        if self._summed and self.due:
            newest = {key: value for key, _, value in pending if not key.startswith(PREFIX)}
            self.expected.add((self.rows[key][1] for key in newest if key in self.rows), self.due, -1)
            self.expected.add((value for value in newest.values() if value is not None), self.due)
        for key, offset, value in pending:
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = (offset, value)
