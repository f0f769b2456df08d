"""Whether the programs gave the same answers: each user's, in order, against the plain function."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from confluent_kafka import TopicPartition

from agents.runtime.clients import committed_consumer
from agents.settings import Settings
from benchmarks.peers.batch_update import Answer
from benchmarks.peers.profile_update import Profile, update

CHECKED = 100_000
"""Events whose answers are compared; of all others only the number."""
AT_ONCE, PATIENCE_S = 10_000, 30.0

Answers = Mapping[str, Sequence[tuple[int, int]]]
"""User → (number of items, top category) of each event."""


def expected(events: Iterable[tuple[bytes, bytes]]) -> Answers:
    """What the plain function answers to these events."""
    profiles: dict[str, Profile] = {}
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for _, value in events:
        event = json.loads(value)
        user = event["user_id"]
        profiles[user], answer = update(profiles.get(user), event)
        found[user].append((answer["n_items"], answer["top_category"]))
    return found


def read(settings: Settings, topic: str, partitions: int) -> Iterator[Answer]:
    """All committed answers of a topic."""
    decode = msgspec.json.Decoder(Answer).decode
    consumer = committed_consumer(settings, "answers", **{"enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    left = partitions
    while left:
        messages = consumer.consume(AT_ONCE, PATIENCE_S)
        if not messages:
            raise RuntimeError(f"{topic} cannot be read to its end")
        for message in messages:
            if message.error() is None:
                yield decode(message.value() or b"")
            else:
                left -= 1
    consumer.close()


def compare(wanted: Answers, answers: Iterable[Answer], *, all_of_them: bool) -> dict[str, Any]:
    """Number of answers, how many of them were compared, and the users whose answers differ.

    `all_of_them`: an answer that is missing is a difference; else a user's first answers are enough.
    """
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    count = 0
    for answer in answers:
        count += 1
        known = found[answer.user_id]
        if len(known) < len(wanted.get(answer.user_id, ())):
            known.append((answer.n_items, answer.top_category))
    differ = [
        user for user, right in wanted.items() if found[user] != (right if all_of_them else right[: len(found[user])])
    ]
    return {"answers": count, "compared": sum(map(len, found.values())), "users_that_differ": len(differ)}
