"""One store follows its changelog: chunks, seals, positions.

offset   10  11  12  13 │ 14   15      ends of chunks: anywhere; a seal counts where a transaction ends
         a   b   SEAL ▐ │ a    SEAL
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from agents.runtime import following
from agents.runtime.following import Chunk, Follower, split
from agents.runtime.seal import EMPTY, SEAL_KEY, Seal, Tally
from agents.runtime.store import PartitionStore, Position

NOW_MS = int(time.time() * 1000)
BOUNDS = (0, 100)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PartitionStore]:
    made = PartitionStore(tmp_path / "3")
    yield made
    made.close()


def message(offset: int, key: bytes, value: bytes | None, partition: int = 3) -> Message:
    return Message(topic="changelog", partition=partition, offset=offset, key=key, value=value)


def seal_of(rows: dict[bytes, bytes]) -> Seal:
    return Seal(EMPTY.after(dict(rows), [None] * len(rows)))


def chunk(*messages: Message) -> Chunk:
    return split(messages)[0][3]


def sealed(offset: int, rows: dict[bytes, bytes]) -> Message:
    return message(offset, SEAL_KEY, seal_of(rows).pack())


def test_messages_come_by_partition_with_the_newest_value_of_a_key() -> None:
    messages = [message(1, b"a", b"1"), message(7, b"a", b"x", 4), message(2, b"b", None), message(3, b"a", b"2")]
    end = Message(topic="changelog", partition=4, offset=9, error=KafkaError(KafkaError._PARTITION_EOF))
    chunks, ends = split([*messages, end])
    assert {partition: chunk.rows for partition, chunk in chunks.items()} == {
        3: {b"a": b"2", b"b": None},
        4: {b"a": b"x"},
    }
    assert chunks[3].last is messages[-1]
    assert ends == {4: 9}


def test_an_error_of_the_log_is_raised() -> None:
    broken = Message(topic="changelog", partition=3, offset=9, error=KafkaError(KafkaError._BAD_MSG))
    with pytest.raises(KafkaException):
        split([broken])


def test_rows_seal_and_tally_are_kept_with_the_offset(store: PartitionStore) -> None:
    follower = Follower(3, store, "id", BOUNDS)
    assert follower.first == 0
    rows = {b"a": b"1", b"b": b"2"}
    assert follower.apply(chunk(message(10, b"a", b"1"), message(11, b"b", b"2"), sealed(12, rows))) == 2
    assert follower.sound
    follower.complete()
    position = store.position()
    assert position is not None
    assert (position.offset, position.topic_id) == (12, "id")
    assert position.seal == seal_of(rows)
    assert position.tally == seal_of(rows).tally
    assert store.read([b"a", b"b", SEAL_KEY]) == [b"1", b"2", None]


def test_a_lost_record_is_noticed_where_a_transaction_ends_and_not_before(store: PartitionStore) -> None:
    follower = Follower(3, store, "id", BOUNDS)
    follower.apply(chunk(message(10, b"a", b"1"), sealed(12, {b"a": b"1"})))
    follower.apply(chunk(message(14, b"a", b"2")))
    assert follower.sound  # in the middle of a transaction the rows are ahead of the seal
    follower.apply(chunk(sealed(16, {b"a": b"2", b"lost": b""})))
    assert not follower.sound


def test_a_half_read_store_is_as_old_as_it_was(store: PartitionStore) -> None:
    old = NOW_MS - 3_600_000
    store.write({b"a": b"1"}, Position(5, old, "id", Tally(1, 1)))
    follower = Follower(3, store, "id", BOUNDS)
    assert follower.first == 6
    follower.apply(chunk(message(7, b"b", b"2")))
    assert _known(store).at_ms == old
    follower.complete()
    assert _known(store).at_ms >= NOW_MS


def test_a_reading_that_was_given_up_goes_on_where_it_stopped(
    store: PartitionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOAD_FROM", 10)
    first = Follower(3, store, "id", BOUNDS)
    first.apply(chunk(message(10, b"a", b"1"), message(11, b"b", b"2")))
    second = Follower(3, store, "id", BOUNDS)
    assert not second.fresh
    assert second.first == 12
    assert second.position.tally is None  # it was a load, which does not count
    second.apply(chunk(sealed(12, {b"a": b"1", b"b": b"2"})))
    second.complete()
    assert second.sound
    assert _known(store).tally == seal_of({b"a": b"1", b"b": b"2"}).tally


def test_markers_at_the_end_of_the_log_are_passed(store: PartitionStore) -> None:
    follower = Follower(3, store, "id", BOUNDS)
    follower.apply(chunk(message(10, b"a", b"1"), sealed(11, {b"a": b"1"})))
    follower.passed(13)
    follower.complete()
    assert _known(store).offset == 12


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (Position(50, NOW_MS, "other"), "made anew"),
        (Position(50, NOW_MS - following.OLDEST_LOCAL_STATE_MS - 60_000, "id"), "older than Kafka keeps deletions"),
        (Position(100, NOW_MS, "id"), "not of this changelog"),
    ],
)
def test_local_rows_that_cannot_be_brought_up_are_thrown_away(
    position: Position, reason: str, store: PartitionStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.write({b"a": b"1"}, position)
    follower = Follower(3, store, "id", BOUNDS)
    assert reason in caplog.text
    assert follower.fresh
    assert follower.first == 0
    assert store.read([b"a"]) == [None]


def _known(store: PartitionStore) -> Position:
    position = store.position()
    assert position is not None
    return position
