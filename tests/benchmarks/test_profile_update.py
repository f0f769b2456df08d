"""The programs of the benchmark `update` do the same work: the batch kernel and the agent as the plain function."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from faust.types import TP

from agents.runtime.agent import TransactionLike
from agents.runtime.batch import Batch
from agents.runtime.reading import ReadRecord
from benchmarks import workload
from benchmarks.peers.batch_update import VECTOR_BYTES, Answer, fold, read_events
from benchmarks.peers.profile_update import MAX_ITEMS, WEIGHT, Profile, update
from benchmarks.peers.profilestream_update import UpdateAgent

SOURCE, ANSWERS, PARTITIONS = "events", "answers", 4
Events = list[tuple[bytes, bytes]]


def full_maps() -> Events:
    """Few users with many more items than a map holds, so that most events drop one."""
    draw = random.Random(3)
    kinds = list(WEIGHT)
    drawn = ((b"u%d" % draw.randrange(5), b"i%d" % min(draw.expovariate(0.004), 2_000)) for _ in range(6_000))
    return [(user, workload.event(user, item, draw.choice(kinds).encode(), 1.0)) for user, item in drawn]


INPUTS = {"shared workload": list(workload.events(4_000)), "full maps": full_maps()}


def plainly(events: Events) -> tuple[dict[bytes, Profile], list[dict[str, Any]]]:
    """What the plain function makes of events: profiles and answers in their order."""
    profiles: dict[bytes, Profile] = {}
    answers = []
    for key, value in events:
        profiles[key], answer = update(profiles.get(key), json.loads(value))
        answers.append(answer)
    return profiles, answers


def cut(events: Events, size: int) -> Iterator[Events]:
    """Batches of events."""
    for start in range(0, len(events), size):
        yield events[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 999, 100_000])
@pytest.mark.parametrize("name", INPUTS)
def test_batches_give_the_answers_and_profiles_of_single_events(name: str, size: int) -> None:
    events = INPUTS[name]
    rows: dict[bytes, bytes] = {}
    answers = []
    for batch in cut(events, size):
        places: dict[bytes, int] = {}
        who = [places.setdefault(key, len(places)) for key, _ in batch]
        new, counts, tops = fold([rows.get(key) for key in places], who, read_events([value for _, value in batch]))
        rows.update(zip(places, new, strict=True))
        answers += list(zip(counts, tops, strict=True))
    profiles, wanted = plainly(events)
    assert answers == [(answer["n_items"], answer["top_category"]) for answer in wanted]
    assert rows.keys() == profiles.keys()
    for key, profile in profiles.items():
        assert np.frombuffer(rows[key][:VECTOR_BYTES]).tolist() == profile["vector"]
        items = msgspec.msgpack.decode(rows[key][VECTOR_BYTES:])
        assert list(items.items()) == list(profile["items"].items())  # in order: the oldest of equals is dropped


def test_the_full_maps_are_full() -> None:
    profiles, _ = plainly(INPUTS["full maps"])
    assert {len(profile["items"]) for profile in profiles.values()} == {MAX_ITEMS}


class FakeTransaction:
    """Rows and what was sent; the agent needs no more of a transaction."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, bytes], bytes | None] = {}
        self.sent: list[tuple[str, int, bytes, bytes]] = []

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.rows.get((partition, key)) for key in keys]

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        self.rows[partition, key] = value

    def send(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        self.sent.append((topic, partition, key, value))


def runs(events: Events, offset: int) -> Iterable[tuple[TP, list[ReadRecord]]]:
    """Events as records of partitions, each user's in one."""
    for partition in range(PARTITIONS):
        mine = [entry for entry in events if entry[0][-1] % PARTITIONS == partition]
        if mine:
            yield (
                TP(SOURCE, partition),
                [ReadRecord(SOURCE, partition, offset + n, 0, key, value, ()) for n, (key, value) in enumerate(mine)],
            )


def test_the_agent_answers_each_event_once_and_in_the_order_of_its_partition() -> None:
    events = INPUTS["shared workload"]
    agent, transaction = UpdateAgent(SOURCE, ANSWERS), FakeTransaction()
    typed: TransactionLike = transaction  # type: ignore[assignment]  # only what the agent uses
    for number, batch in enumerate(cut(events, 700)):
        agent.absorb(Batch(dict(runs(batch, number * 700))), typed)
    _, wanted = plainly(events)
    for partition in range(PARTITIONS):
        right = [answer for (key, _), answer in zip(events, wanted, strict=True) if key[-1] % PARTITIONS == partition]
        sent = [value for topic, to, _, value in transaction.sent if to == partition and topic == ANSWERS]
        assert [msgspec.json.decode(value) for value in sent] == right
        assert all(msgspec.json.decode(value, type=Answer) for value in sent)
    assert {partition for partition, _ in transaction.rows} == set(range(PARTITIONS))
