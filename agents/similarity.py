"""The similarity worker: `cooccurrence` → table `item_rows` → `neighbours`."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NoReturn

import numpy as np

from agents.checks import read_co_counts, read_neighbours
from agents.errors import RecordError
from agents.item_rows import LOADED, PartitionRows, Read, Write
from agents.packed import NEIGHBOURS, CoCounts, Neighbours, pack_floats, pack_ints, unpack_ints
from agents.runtime.agent import TableReader, TransactionLike
from agents.runtime.batch import Batch, Record
from agents.runtime.view import View
from agents.runtime.worker import PENDING_S, WorkerSpec, run_worker
from agents.settings import MOST_ROW_NEIGHBOURS, Settings
from agents.topics import build_topics
from models.cooccurrence import Ints, unpack_counts
from models.interning import Interner
from models.ridge import CountTable, ridge_weights
from models.similarity import CAP_SLACK, CsrRows, Floats, neighbour_weights, strongest

STALE_SHARE = 0.5
"""Most of the publishing budget that goes to rows that did not change themselves but whose neighbours' norms did."""
NICENESS = 10
"""Where cores are shared, lists go first: nobody waits for neighbours, and they are gathered for seconds anyway."""
FETCH_BYTES = 1024 * 1024
"""Small: a message holds thousands of changes."""
NO_NEIGHBOURS = Neighbours([], b"", pack_ints(np.zeros(0, np.int64)), pack_ints(np.zeros(0, np.int64)), 0, 0, 0.0, 0.0)
MOST_SECONDS_SAVED = 5.0
"""An idle worker saves up publishing budget for at most this long."""


class SimilarityAgent:
    """Keeps item rows and publishes their neighbours, changed rows first, within a budget per second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = build_topics(settings)
        self.view = View(settings, self._topics.neighbours, lambda _key, value: read_neighbours(value))
        self._norms: dict[str, tuple[int, int]] = {}
        self._items = Interner()
        self._counts = CountTable(settings.neighbours_published if settings.ridge_neighbours else 0)
        self._partitions: dict[int, PartitionRows] = {}
        self._table: TableReader | None = None
        self._budget = self._stale_budget = 0.0
        self._budget_ms = 0
        self._turn = 0

    def assigned(self, partitions: frozenset[int], table: TableReader) -> None:
        """Load the rows' norms of these partitions."""
        self._table = table
        half_life = self._settings.popularity_half_life
        self._partitions = {
            # Not the bodies: they are nearly all of the table, and are read as they are needed.
            partition: PartitionRows(chain(*(table.scan(partition, kind) for kind in LOADED)), half_life)
            for partition in sorted(partitions)
        }
        for item, (users, sums) in self._norms.items():
            self._set_norm(item, users, sums)

    def refresh(self) -> None:
        """Take over the norms and co-counts that were published, those of other partitions too."""
        changed = False
        for key, neighbours in self.view.drain():
            item = key.decode(errors="replace")
            norm = (0, 0) if neighbours is None else (neighbours.users, neighbours.c_sum)
            if self._norms.get(item) != norm:
                self._norms[item] = norm
                changed |= self._set_norm(item, *norm)
            changed |= self._set_counts(item, neighbours)
        if changed:
            for rows in self._partitions.values():
                rows.stale[:] = rows.own

    def _set_norm(self, item: str, users: int, sums: int) -> bool:
        """Note the norm of an item of another partition wherever it is a neighbour."""
        changed = False
        for rows in self._partitions.values():
            number = rows.items.known(item)
            if number is not None and not rows.own[number]:
                rows.users[number], rows.sums[number] = users, sums
                changed = True
        return changed

    def _set_counts(self, item: str, neighbours: Neighbours | None) -> bool:
        """Note the co-counts by which ridge weights of an item's neighbours are solved."""
        if not self._settings.ridge_neighbours:
            return False
        number, row = self._items.number(item), neighbours or NO_NEIGHBOURS
        cols = self._items.numbers(row.ids)
        return self._counts.put(number, row.users, row.c_sum, cols, unpack_ints(row.g), unpack_ints(row.c))

    def pending(self) -> bool:
        """Whether rows wait to be published."""
        return any(rows.dirty.any() or rows.stale.any() for rows in self._partitions.values())

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Add the changes of a batch to the rows, then publish what the budget allows."""
        self.refresh()
        changed: dict[int, Ints] = {}
        for partition, records in batch.of(self._topics.cooccurrence.name):
            changes = list(self._decode(records, transaction))
            read, write = _access(transaction, partition)
            rows = self._partitions[partition]
            known = len(rows.items)
            changed[partition] = rows.absorb(changes, read, write, self._cut)
            for item in rows.items.ids[known:]:
                if item in self._norms:
                    self._set_norm(item, *self._norms[item])
        self._refill(transaction.now_ms)
        for partition, share in self._shares():
            rows = self._partitions[partition]
            published = self._publish(partition, rows, share, transaction)
            written = np.union1d(changed.get(partition, published[:0]), published)
            rows.write_heads(written, _access(transaction, partition)[1])

    def _decode(self, records: Sequence[Record], transaction: TransactionLike) -> Iterable[CoCounts]:
        for record in records:
            try:
                yield read_co_counts(record.value or b"")
            except RecordError as exc:
                transaction.dead_letter(record, exc)

    def _cut(self, rows: PartitionRows, numbers: Ints, bodies: CsrRows) -> CsrRows:
        """Rows that grew too long, cut to their strongest neighbours; the others as they are."""
        most = self._settings.row_neighbours or MOST_ROW_NEIGHBOURS
        long = np.flatnonzero(np.diff(bodies.indptr) > most * CAP_SLACK)
        if not len(long):
            return bodies
        picked = bodies[long]
        weights = self._weights(rows, numbers[long], picked)
        keep = np.ones(bodies.nnz, bool)
        for place, row in enumerate(long.tolist()):
            kept = strongest(weights[picked.indptr[place] : picked.indptr[place + 1]], most)
            begin = bodies.indptr[row]
            keep[begin : bodies.indptr[row + 1]] = False
            keep[begin + kept] = True
        bodies.data[~keep] = 0
        bodies.eliminate_zeros()
        return bodies

    def _weights(self, rows: PartitionRows, numbers: Ints, bodies: CsrRows) -> Floats:
        settings = self._settings
        return neighbour_weights(
            bodies,
            rows.users[numbers],
            rows.sums[numbers],
            rows.users,
            rows.sums,
            settings.similarity,
            settings.shrinkage,
        )

    def _refill(self, now_ms: int) -> None:
        rate = self._settings.rows_published_per_s
        passed_s = (now_ms - self._budget_ms) / 1000 if self._budget_ms else 1.0
        more, most = rate * max(passed_s, 0.0), rate * MOST_SECONDS_SAVED
        self._budget = min(self._budget + more, most)
        self._stale_budget = min(self._stale_budget + STALE_SHARE * more, STALE_SHARE * most)
        self._budget_ms = now_ms

    def _shares(self) -> Iterator[tuple[int, int]]:
        """(partition, rows it may publish) of each; where the budget is too small for all, they take turns."""
        partitions = [*self._partitions]
        if not partitions:
            return
        share, first = max(int(self._budget) // len(partitions), 1), self._turn % len(partitions)
        for partition in partitions[first:] + partitions[:first]:
            allowed = min(share, int(self._budget))
            if allowed:
                self._turn += 1
            yield partition, allowed

    def _publish(self, partition: int, rows: PartitionRows, share: int, transaction: TransactionLike) -> Ints:
        """Send the neighbours of dirty rows, then of a few stale ones, `share` in all. Returns rows with new heads."""
        dirty = rows.next_of(rows.dirty, share)
        stale = rows.next_of(rows.stale & ~rows.dirty, min(share - len(dirty), int(self._stale_budget)))
        numbers = np.concatenate([dirty, stale])
        if not len(numbers):
            return numbers
        self._budget -= len(numbers)
        self._stale_budget -= len(stale)
        read, _ = _access(transaction, partition)
        bodies = rows.read_bodies(numbers, read)
        weights = self._weights(rows, numbers, bodies)
        g, c = unpack_counts(bodies.data)
        names, changed = rows.items.ids, []
        most = self._settings.neighbours_published
        bests = [
            begin + strongest(weights[begin:end], most)
            for begin, end in zip(bodies.indptr[:-1].tolist(), bodies.indptr[1:].tolist(), strict=True)
        ]
        ids = [[names[col] for col in bodies.indices[best].tolist()] for best in bests]
        ridge = self._ridge(ids, [g[best] for best in bests])
        for place, (number, best) in enumerate(zip(numbers.tolist(), bests, strict=True)):
            value = NEIGHBOURS.write(
                Neighbours(
                    ids[place],
                    pack_floats(weights[best]),
                    pack_ints(g[best]),
                    pack_ints(c[best]),
                    int(rows.users[number]),
                    int(rows.sums[number]),
                    float(rows.popularity[number]),
                    float(rows.clocks[number]),
                    {segment: value for segment, (value, _) in rows.segments.get(number, {}).items()},
                    pack_floats(ridge[place]) if ridge else b"",
                    int(rows.rating_sums[number]),
                    int(rows.raters[number]),
                )
            )
            digest = int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little", signed=True)
            if digest != rows.published[number] or rows.dirty[number]:
                rows.published[number] = digest
                changed.append(number)
                transaction.send(self._topics.neighbours.name, partition, names[number].encode(), value)
        rows.dirty[numbers] = rows.stale[numbers] = False
        return np.array(changed, np.int64)

    def _ridge(self, ids: Sequence[Sequence[str]], g: Sequence[Ints]) -> list[Floats]:
        """Ridge weights of the first neighbours of each row; nothing if they are not wanted."""
        most = self._settings.ridge_neighbours
        if not most:
            return []
        nearest = [self._items.numbers(row[:most]) for row in ids]
        return ridge_weights(self._counts, nearest, [row[:most] for row in g], self._settings.ridge_regularisation)


def _access(transaction: TransactionLike, partition: int) -> tuple[Read, Write]:
    """Reading and writing one partition of the table."""
    return (lambda keys: transaction.read(partition, keys)), (
        lambda key, value: transaction.write(partition, key, value)
    )


def run(settings: Settings) -> NoReturn:
    """Work until told to stop or an error. Does not return: the process ends with the exit code."""
    os.nice(NICENESS)
    agent = SimilarityAgent(settings)
    topics = build_topics(settings)
    spec = WorkerSpec(
        "similarity",
        (topics.cooccurrence,),
        "item_rows",
        (agent.view,),
        gather_s=settings.gather_s,
        pending_s=max(PENDING_S, 1 / settings.rows_published_per_s),
        fetch_bytes=FETCH_BYTES,
    )
    run_worker(settings, spec, agent)
