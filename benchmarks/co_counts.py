"""Whether published co-counts are those that a plain replay of the events leads to."""

import struct
from collections.abc import Callable, Mapping

import numpy as np
from confluent_kafka import TopicPartition
from scipy import sparse

from agents.packed import NEIGHBOURS, unpack_ints
from agents.runtime.clients import committed_consumer
from agents.settings import Settings
from agents.topics import Topic
from benchmarks import workload
from models.cooccurrence import count_pairs, unpack_counts

QUIET_S = 5.0
"""Without a new record for so long all is published."""
Published = tuple[int, list[tuple[str, int, int]]]
"""Users of an item, and (neighbour, G, C)."""


def of_product(value: bytes) -> Published:
    """What a record of our topic `neighbours` says."""
    row = NEIGHBOURS.read(value)
    counts = zip(row.ids, unpack_ints(row.g).tolist(), unpack_ints(row.c).tolist(), strict=True)
    return row.users, list(counts)


def of_kstreams(value: bytes) -> Published:
    """What `PipelinePeer` publishes."""
    (users,), place, near = struct.unpack_from(">i", value), 4, []
    while place < len(value):
        (length,) = struct.unpack_from(">h", value, place)
        place += 2
        g, c, _ = struct.unpack_from(">iif", value, place + length)
        near.append((value[place : place + length].decode(), g, c))
        place += length + 12
    return users, near


def newest(settings: Settings, topic: Topic) -> dict[str, bytes]:
    """The newest value of each key, once nothing comes any more."""
    consumer = committed_consumer(settings, f"all-{topic.name}")
    consumer.assign([TopicPartition(topic.name, partition, 0) for partition in range(topic.partitions)])
    found = {}
    while (message := consumer.poll(QUIET_S)) is not None:
        key, value = message.key(), message.value()
        if message.error() is None and key is not None and value is not None:
            found[key.decode()] = value
    consumer.close()
    return found


class Replay:
    """Co-counts of the first events of the workload, counted at once from the histories they lead to."""

    def __init__(self, count: int, history: int, window: int) -> None:
        self._numbers: dict[str, int] = {}
        histories: dict[int, dict[int, None]] = {}
        users, items, _ = workload.drawn()
        for user, item in zip(users[:count].tolist(), items[:count].tolist(), strict=True):
            mine = histories.setdefault(user, {})
            number = self._numbers.setdefault(f"i{item}", len(self._numbers))
            if number not in mine:
                mine[number] = None
                if len(mine) > history:
                    del mine[next(iter(mine))]
        lists = [np.array(list(mine), np.int64) for mine in histories.values()]
        pairs, self._users = count_pairs(lists, len(self._numbers), window)
        self._pairs: sparse.csr_array = pairs

    def differences(self, published: Mapping[str, bytes], read: Callable[[bytes], Published], most: int = 0) -> int:
        """How many items have other users, or a neighbour with other co-counts, or are not published.

        `most`: of items with more neighbours only the users are looked at, since their rows were cut; 0: no row is.
        """
        wrong = 0
        for item, number in self._numbers.items():
            row = slice(*self._pairs.indptr[[number, number + 1]])
            g, c = unpack_counts(self._pairs.data[row])
            true = dict(zip(self._pairs.indices[row].tolist(), zip(g.tolist(), c.tolist(), strict=True), strict=True))
            users, near = read(published[item]) if item in published else (-1, [])
            cut = 0 < most < len(true)
            same = cut or all(true.get(self._numbers[other]) == (g_of, c_of) for other, g_of, c_of in near)
            wrong += users != int(self._users[number]) or not same
        return wrong
