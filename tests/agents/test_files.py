"""Events from files, and their way to the broker."""

import gzip
import json
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from agents.admin import check_topics
from agents.errors import SetupError
from agents.partition import partition_of
from agents.replay import Rows, batches, send_events
from agents.runtime.clients import committed_consumer
from agents.settings import read_settings
from agents.topics import build_topics

ROWS = [
    {"user_id": "u1", "item_id": "i1", "event_type": "view", "timestamp": 1.5},
    {"user_id": "u2", "item_id": "i2", "event_type": "rate", "timestamp": 2.0, "rating": 4.0},
]
TABLE = "user_id,item_id,event_type,timestamp,rating\nu1,i1,view,1.5,\nu2,i2,rate,2,4\n"


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    assert list(Rows(path)) == ROWS


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz", "events.tsv"])
def test_tables(name: str, tmp_path: Path) -> None:
    text = TABLE.replace(",", "\t") if ".tsv" in name else TABLE
    data = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert list(Rows(tmp_path / name)) == ROWS


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(pa.Table.from_pylist(ROWS[::-1]), tmp_path / "events.parquet")
    assert list(Rows(tmp_path / "events.parquet")) == ROWS[::-1]


def test_bad_rows_are_counted_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"user_id": "u"}\n{broken\n[1]\n')
    rows = Rows(path)
    assert len(list(rows)) == 1
    assert rows.bad == 2
    assert [line.split(":")[0] for line in rows.bad_lines] == ["line 2", "line 3"]
    path = tmp_path / "events.csv"
    path.write_text("user_id,timestamp\nu,1\nu\nu,1,2\nu,noon\n")
    rows = Rows(path)
    assert len(list(rows)) == 1
    assert [line.split(":")[0] for line in rows.bad_lines] == ["line 3", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("name", "content"), [("events.xls", b""), ("events.csv.gz", b"no gzip"), ("e.csv", b"a\n\xff")]
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SetupError, match=name):
        list(Rows(tmp_path / name))


def test_batches_keep_order_and_size() -> None:
    assert [len(batch) for batch in batches(({"n": n} for n in range(5)), 2)] == [2, 2, 1]


def test_events_reach_the_partitions_of_their_users_in_order(embedded: str, unique: str) -> None:
    settings = read_settings(bootstrap_servers=embedded, embedded=True, topic_prefix=unique)
    topic = build_topics(settings).events
    check_topics(settings, [topic.name])
    seen: list[int] = []
    sent = [{"user_id": f"u{n % 7}", "item_id": f"i{n}", "event_type": "view", "timestamp": n} for n in range(100)]
    assert send_events(settings, sent, 0, seen.append) == 100
    assert sum(seen) == 100
    consumer = committed_consumer(settings, "test")
    consumer.assign([TopicPartition(topic.name, partition, 0) for partition in range(4)])
    read: list[tuple[int, dict[str, object]]] = []
    while len(read) < 100:
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        read.append((message.partition() or 0, json.loads(message.value() or b"")))
    consumer.close()
    assert all(partition == partition_of(str(event["user_id"]).encode(), 4) for partition, event in read)
    for user in {event["user_id"] for event in sent}:
        assert [e for _, e in read if e["user_id"] == user] == [e for e in sent if e["user_id"] == user]


def test_the_pace_of_the_events_is_kept(embedded: str, unique: str) -> None:
    settings = read_settings(bootstrap_servers=embedded, embedded=True, topic_prefix=unique)
    check_topics(settings, [build_topics(settings).events.name])
    sent = [{"user_id": "u", "item_id": "i", "event_type": "view", "timestamp": n} for n in range(3)]
    counts: list[int] = []
    assert send_events(settings, sent, 100.0, counts.append) == 3
    assert counts == [1, 1, 1]
