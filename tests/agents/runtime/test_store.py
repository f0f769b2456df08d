"""One partition on disk."""

import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from agents.errors import SetupError
from agents.runtime.seal import EMPTY, Absorbed, checksum
from agents.runtime.store import POSITION_KEY, PartitionStore, Position
from agents.runtime.table import Table


def options_of(folder: Path) -> str:
    """What RocksDB says of the options in force."""
    return max(folder.glob("OPTIONS-*"), key=lambda path: path.name).read_text()


def test_rows_and_position_are_there_after_a_reopen(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1", b"b": b"2"}, Position(7, 99, "id"))
    store.write({b"b": None, b"c": b""}, Position(8, 100, "id"))
    store.close()
    store = PartitionStore(tmp_path / "0")
    assert store.read([b"a", b"b", b"c", b"d"]) == [b"1", None, b"", None]
    assert store.position() == Position(8, 100, "id")
    store.close()


def test_a_scan_is_by_prefix_in_order_and_without_the_position(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"b2": b"", b"b1": b"", b"a": b"", b"c": b""}, Position(0, 0))
    assert [key for key, _ in store.scan(b"b")] == [b"b1", b"b2"]
    assert [key for key, _ in store.scan(b"")] == [b"a", b"b1", b"b2", b"c"]
    store.close()


def test_filter_and_cache_are_in_force_after_a_reopen(tmp_path: Path) -> None:
    for _ in range(2):
        store = PartitionStore(tmp_path / "0")
        store.write({b"a": b"1"}, Position(0, 0))
        store.close()
        options = options_of(tmp_path / "0")
        assert "filter_policy=bloomfilter" in options
        assert "cache_index_and_filter_blocks=true" in options
        assert "ttl=0" in options or "ttl=2592000" in options  # RocksDB's own default concerns compaction, not rows


def test_wiping_leaves_an_empty_store(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1"}, Position(0, 0))
    store.wipe()
    assert store.position() is None
    assert store.read([b"a"]) == [None]
    store.close()


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("not a folder")
    with pytest.raises(SetupError, match="PROFILESTREAM_DATA_DIR"):
        PartitionStore(tmp_path / "0")


def test_a_disk_without_room_is_named_with_its_remedy(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1"}, Position(0, 0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        with pytest.raises(SetupError, match=r"(?s)cannot write the local state in .*PROFILESTREAM_DATA_DIR"):
            store.write({b"b": b"2"}, Position(1, 0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.read([b"a", b"b"]) == [b"1", None]
    with suppress(Exception):  # RocksDB has noted the error
        store.close()
    store = PartitionStore(tmp_path / "0")
    assert store.position() == Position(0, 0)
    store.close()


def test_damaged_rows_are_an_error_and_not_missing_rows(tmp_path: Path) -> None:
    keys = [b"%04d" % number for number in range(2_000)]
    store = PartitionStore(tmp_path / "0")
    store.write({key: key * 50 for key in keys}, Position(0, 0))
    store.close()
    (file,) = (tmp_path / "0").glob("*.sst")
    content = bytearray(file.read_bytes())
    content[2_000:3_000] = bytes(1_000)
    file.write_bytes(content)
    store = PartitionStore(tmp_path / "0")
    with pytest.raises(SetupError, match="cannot read the local state"):
        list(store.scan(b""))
    with pytest.raises(SetupError, match="cannot read the local state"):
        store.read(keys)
    store.close()


def test_a_table_holds_exactly_the_partitions_it_was_told_to_open(tmp_path: Path) -> None:
    table = Table(tmp_path, "changelog")
    table.open(frozenset({0, 1}))
    table.write(1, {b"a": b"1"}, offset=3, now_ms=5)
    stores = table.open(frozenset({1, 2}))
    assert sorted(stores) == [1, 2]
    assert table.read(1, [b"a"]) == [b"1"]
    with pytest.raises(KeyError):
        table.read(0, [b"a"])
    table.close()


def test_loaded_rows_are_there_and_are_counted(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.begin_load()
    store.write({b"b": b"1", b"a": b"2"}, Position(2, 99))
    store.write({b"b": b"3", b"a": None, b"c": b""}, Position(5, 99))
    store.end_load()
    assert store.read([b"a", b"b", b"c"]) == [None, b"3", b""]
    *_, tally = store.count()
    assert tally == EMPTY.after({b"b": b"3", b"c": b""}, [None, None])
    store.close()
    store = PartitionStore(tmp_path / "0")
    assert store.position() == Position(5, 99)
    assert "VectorRepFactory" not in options_of(tmp_path / "0")
    store.close()


LOAD_AND_DIE = """
import os, sys
from pathlib import Path
from agents.runtime.store import PartitionStore, Position
store = PartitionStore(Path(sys.argv[1]))
store.begin_load()
for number in range(100):
    rows = {b"%06d" % ((number * 100 + place) * 7919 % 1_000_000): os.urandom(5_000) for place in range(100)}
    store.write({**rows, b"newest": b"%d" % number}, Position(number, 99))
os._exit(0)
"""


def test_a_load_that_is_killed_leaves_the_rows_up_to_its_position(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LOAD_AND_DIE, str(tmp_path / "0")], check=True)
    store = PartitionStore(tmp_path / "0")
    position = store.position()
    assert position is not None
    assert 0 < position.offset < 99
    keys = [b"%06d" % (place * 7919 % 1_000_000) for place in range(10_000)]
    rows = store.read([*keys, b"newest"])
    whole = (position.offset + 1) * 100
    assert None not in rows[:whole]
    assert set(rows[whole:-1]) == {None}
    assert rows[-1] == b"%d" % position.offset
    store.close()


def test_a_position_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store._db[POSITION_KEY] = b'{"offset": 7, "at_ms": 99, "topic_id": "id"}'
    store.close()
    store = PartitionStore(tmp_path / "0")
    assert store.position() == Position(7, 99, "id")
    store.close()


def test_a_table_seals_what_it_holds_after_the_changes(tmp_path: Path) -> None:
    table = Table(tmp_path, "changelog")
    table.source_ids = {"events": "e", "users": "u"}
    table.open(frozenset({0}))
    first = table.seal(0, {b"a": b"1", b"b": b"2"}, [None, None], {"events": 4})
    table.write(0, {b"a": b"1", b"b": b"2"}, 2, 99, first)
    second = table.seal(0, {b"a": None}, [checksum(b"a", b"1")], {"users": 9})
    table.write(0, {b"a": None}, 4, 100, second)
    assert second.tally == EMPTY.after({b"b": b"2"}, [None])
    assert second.sources == {"events": Absorbed(4, "e"), "users": Absorbed(9, "u")}
    table.close()
    (store,) = table.open(frozenset({0})).values()
    assert store.position() == Position(4, 100, "", second.tally, second)
    table.close()
