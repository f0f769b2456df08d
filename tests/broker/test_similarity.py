"""When the similarity worker publishes: not only when the changes that it gathers are due."""

from pathlib import Path

import numpy as np
import pytest

from agents.admin import create_topics
from agents.packed import CO_COUNTS, CoCounts, pack_ints
from agents.topics import build_topics
from tests.broker.support import absorbed, broker_settings, cluster, newest, read_all, send

ROWS = 40


def changed(items: list[str]) -> bytes:
    """A message that says of each item that a user and an event more are known."""
    none, ones = pack_ints(np.zeros(0, np.int64)), pack_ints(np.ones(len(items), np.int64))
    rows, lengths = pack_ints(np.arange(len(items))), pack_ints(np.zeros(len(items), np.int64))
    return CO_COUNTS.write(CoCounts(len(items), items, rows, lengths, none, none, none, ones, ones, {}, None))


@pytest.mark.broker
def test_rows_are_published_while_changes_are_gathered_which_are_lost_to_nobody(
    kafka: str, unique: str, tmp_path: Path
) -> None:
    made = broker_settings(
        kafka,
        unique,
        tmp_path / "data",
        item_partitions=1,
        gather_s=60.0,  # longer than this test waits
        max_batch_records=2,  # enough for a batch
        rows_published_per_s=ROWS // 4,
    )
    create_topics(made)
    topics = build_topics(made)
    items = [f"i{number}" for number in range(ROWS)]

    def published() -> set[str]:
        return {key.decode() for _, key in newest(read_all(made, topics.neighbours.name))}

    def taken() -> int:
        return absorbed(made, "similarity", topics.cooccurrence)[0]

    send(made, topics.cooccurrence, [(b"i0", changed(items[::2])), (b"i0", changed(items[1::2]))])
    with cluster(made, tmp_path) as workers:
        first = workers.start("similarity", restart=False)
        workers.wait_until(lambda: taken() == 2, "the first batch")
        send(made, topics.cooccurrence, [(b"i0", changed(["late"]))])
        workers.wait_until(lambda: published() == set(items), "all its rows", 30)
        assert taken() == 2
        first.kill()
        first.wait()
        workers.workers.remove(first)
        workers.start("similarity", PROFILESTREAM_GATHER_S="0.1")
        workers.wait_until(lambda: "late" in published(), "what was gathered")
