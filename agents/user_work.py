"""One batch, sorted by user: what each user did, declared, asked for and was sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agents.errors import RecordError
from agents.intake import Intake, PutsAside
from agents.partition import partitions_of
from agents.records import MAX_ID_BYTES, Event, Recommendation, Request, User, read_recommendation
from agents.runtime.batch import Batch, Record
from agents.runtime.transaction import FORWARDED_HEADER
from agents.topics import Topics


@dataclass
class UserWork:
    """The good records of one user in a batch, each kind in log order."""

    user_id: str
    users: list[tuple[Record, User | None]] = field(default_factory=list)
    recommendations: list[tuple[Record, Recommendation]] = field(default_factory=list)
    events: list[tuple[Record, Event, int]] = field(default_factory=list)
    requests: list[tuple[Record, Request]] = field(default_factory=list)


Work = dict[int, dict[bytes, UserWork]]
"""Partition → key → the user's work."""


class Sorting(PutsAside, Protocol):
    """Where bad and misplaced records go; a transaction is one."""

    def forward(self, record: Record, partition: int) -> None:
        """Send a record on to the partition of its topic where it belongs."""
        ...


def group_by_user(batch: Batch, topics: Topics, intake: Intake, transaction: Sorting) -> Work:
    """Check the records of a batch and sort them by user; misplaced ones are forwarded, bad ones dead-lettered."""
    work: Work = {}

    def of(partition: int, key: bytes) -> UserWork:
        users = work.setdefault(partition, {})
        found = users.get(key)
        if found is None:
            found = users[key] = UserWork(key.decode())
        return found

    for partition, records in batch.of(topics.users.name):
        placed = _placed(partition, records, topics.users.partitions, transaction)
        for record, user in intake.users(placed, transaction):
            of(partition, record.key or b"").users.append((record, user))
    for partition, records in batch.of(topics.recommendations.name):
        for record in records:
            try:
                recommendation = read_recommendation(record.value)
            except RecordError as exc:
                transaction.dead_letter(record, exc)
                continue
            if record.key == recommendation.user_id.encode():
                of(partition, record.key or b"").recommendations.append((record, recommendation))
            else:
                error = RecordError("wrong_key", "the key of a list differs from its user_id")
                transaction.dead_letter(record, error)
    for partition, records in batch.of(topics.events.name):
        placed = _placed(partition, records, topics.events.partitions, transaction)
        users = work.setdefault(partition, {})
        for entry in intake.events(placed, transaction):
            key = entry[0].key or b""
            user_work = users.get(key)
            if user_work is None:
                user_work = users[key] = UserWork(entry[1].user_id)
            user_work.events.append(entry)
    for partition, records in batch.of(topics.requests.name):
        placed = _placed(partition, records, topics.requests.partitions, transaction)
        for record, request in intake.requests(placed, transaction):
            of(partition, record.key or b"").requests.append((record, request))
    return work


def _placed(partition: int, records: Sequence[Record], partitions: int, transaction: Sorting) -> Sequence[Record]:
    """The records whose key belongs to this partition; the others are sent on to theirs, in order."""
    keys = list({record.key for record in records if record.key and len(record.key) <= MAX_ID_BYTES})
    right = partitions_of(keys, partitions)
    wrong = {key: int(target) for key, target in zip(keys, right, strict=True) if target != partition}
    if not wrong:
        return records
    kept = []
    for record in records:
        target = wrong.get(record.key or b"")
        if target is None:
            kept.append(record)
        elif any(name == FORWARDED_HEADER for name, _ in record.headers):
            detail = f"forwarded to partition {partition}, but the key belongs to {target}: do partition counts differ?"
            transaction.dead_letter(record, RecordError("wrong_partition", detail))
        else:
            transaction.forward(record, target)
    return kept
