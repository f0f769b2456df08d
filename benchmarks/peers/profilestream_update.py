"""The benchmark `update` on the product's runtime layer: exactly once, a table with changelog and seals, an answer for
each event.

Run as `python -m benchmarks.peers.profilestream_update NAME`; `PROFILESTREAM_*` says where, `PEER_OUT` where to.
"""

import sys
from itertools import islice

import msgspec

from agents.runtime.agent import TableReader, TransactionLike
from agents.runtime.batch import Batch
from agents.runtime.worker import WorkerSpec, run_worker
from agents.settings import read_settings
from agents.topics import build_topics
from benchmarks.peers.batch_update import Answer, fold, read_events
from benchmarks.peers.profile_update import ANSWERS

TABLE = "profiles"


class UpdateAgent:
    """One batch at a time: read the rows of its users, fold their events, write the rows, answer in log order."""

    def __init__(self, source: str, answers: str) -> None:
        self._source, self._answers = source, answers
        self._encode = msgspec.json.Encoder().encode

    def assigned(self, partitions: frozenset[int], table: TableReader) -> None:
        """Nothing is cached between batches."""

    def pending(self) -> bool:
        """Nothing to do without input."""
        return False

    def refresh(self) -> None:
        """Nothing to take over."""

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Fold a batch into the profiles."""
        runs = list(batch.of(self._source))
        places: dict[bytes, int] = {}
        who: list[int] = []
        rows: list[bytes | None] = []
        partitions: list[int] = []
        for partition, records in runs:
            who += [places.setdefault(record.key or b"", len(places)) for record in records]
            keys = list(islice(places, len(rows), None))
            rows += transaction.read(partition, keys)
            partitions += [partition] * len(keys)
        events = read_events([record.value or b"" for _, records in runs for record in records])
        new, counts, tops = fold(rows, who, events)
        for partition, key, row in zip(partitions, places, new, strict=True):
            transaction.write(partition, key, row)
        ids, keys = [key.decode() for key in places], list(places)
        send, topic, encode = transaction.send, self._answers, self._encode
        for place, count, top in zip(who, counts, tops, strict=True):
            send(topic, partitions[place], keys[place], encode(Answer(ids[place], count, top)))


if __name__ == "__main__":
    settings = read_settings()
    source = build_topics(settings).events
    run_worker(settings, WorkerSpec(sys.argv[1], (source,), TABLE), UpdateAgent(source.name, ANSWERS))
