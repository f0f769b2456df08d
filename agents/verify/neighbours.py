"""Published neighbours against the rows that they were made from.

A row's head holds the hash of what was published last for it, so the message that belongs to the cut can be told from a
newer one. A row that changed since (`dirty`) will be published again. Weights follow the norms of other items lazily:
they are only compared with those of now when all is at rest.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from agents.checks import read_neighbours
from agents.errors import RecordError
from agents.packed import NEIGHBOURS, unpack_floats, unpack_ints
from agents.settings import Settings
from agents.topics import Topic
from agents.verify.reading import Reader
from agents.verify.report import PartReport
from agents.verify.table import HistorySums
from models.plain import co_weight

if TYPE_CHECKING:
    from agents.verify.rows import ItemRow

TOLERANCE = 1e-5
"""Relative; weights are float32."""


def check_neighbours(
    reader: Reader,
    settings: Settings,
    topic: Topic,
    partition: int,
    published_before: int,
    rows: "dict[str, ItemRow]",
    histories: HistorySums,
    report: PartReport,
    at_rest: bool,
) -> None:
    """Compare each row that is not waiting to be published. `published_before`: its stable end before `rows`."""
    newest: dict[str, list[bytes]] = {}
    start, end = reader.start(topic, partition), reader.end(topic, partition)
    for record in reader.read(topic, partition, start, end):
        known = newest.setdefault((record.key or b"").decode(errors="replace"), [])
        if record.offset < published_before:
            known.clear()
        if record.value is not None:
            known.append(record.value)
    for item, row in rows.items():
        if row.head.dirty:
            report.add("neighbours not published yet")
            if at_rest:
                report.differs("neighbours missing", item, "the row changed and was not published")
            continue
        published = [value for value in newest.get(item, ()) if _digest(value) == row.head.published]
        if not published:
            report.differs("neighbours missing" if item not in newest else "neighbours differ", item)
            continue
        report.add("neighbours compared")
        if not _made_from(published[-1], row, histories):
            report.differs("neighbours differ", item, "not what the row holds")
        elif at_rest and settings.similarity == "co" and not _fresh(published[-1], row, histories, settings):
            report.differs("neighbours differ", item, "weights are not the strongest of the row")


def _digest(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little", signed=True)


def _made_from(value: bytes, row: "ItemRow", histories: HistorySums) -> bool:
    """Whether counts, norms and popularity are the row's, strongest first."""
    try:
        found = read_neighbours(value)
    except RecordError:
        return False
    head, number = row.head, histories.items.number
    counts = dict(zip(row.cols.tolist(), zip(row.g.tolist(), row.c.tolist(), strict=True), strict=True))
    told = zip(unpack_ints(found.g).tolist(), unpack_ints(found.c).tolist(), strict=True)
    if [counts.get(number(item)) for item in found.ids] != list(told):
        return False
    weights = unpack_floats(found.weights)
    norms = (found.users, found.c_sum, found.popularity, found.clock)
    ordered = bool((np.diff(weights) <= TOLERANCE * np.abs(weights[:-1])).all())
    return ordered and norms == (head.users, head.c_sum, head.popularity, head.clock)


def _fresh(value: bytes, row: "ItemRow", histories: HistorySums, settings: Settings) -> bool:
    """Whether the weights are the strongest of the row by the norms of now."""
    sums = histories.sums.sums
    weights = [
        co_weight(c, row.head.c_sum, int(sums[col]), settings.shrinkage)
        for col, c in zip(row.cols.tolist(), row.c.tolist(), strict=True)
    ]
    strongest = sorted(weights, reverse=True)[: settings.neighbours_published]
    found = unpack_floats(NEIGHBOURS.read(value).weights)
    return len(found) == len(strongest) and bool(np.allclose(found, strongest, rtol=TOLERANCE))
