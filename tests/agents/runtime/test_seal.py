"""A tally that is kept change by change is that of the rows, whatever the changes and their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import SetupError
from agents.runtime.seal import EMPTY, Absorbed, Seal, Tally, checksum, unpack_seal

keys = st.sampled_from([b"", b"a", b"b", b"c", b"ab"])
changes = st.dictionaries(keys, st.none() | st.binary(max_size=3))


def tally_of(rows: dict[bytes, bytes]) -> Tally:
    return EMPTY.after(dict(rows), [None] * len(rows))


def apply(rows: dict[bytes, bytes], batch: dict[bytes, bytes | None]) -> None:
    for key, value in batch.items():
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value


@given(st.lists(changes))
def test_a_tally_kept_change_by_change_is_that_of_the_rows(batches: list[dict[bytes, bytes | None]]) -> None:
    rows: dict[bytes, bytes] = {}
    tally = EMPTY
    for batch in batches:
        tally = tally.after(batch, [checksum(key, rows.get(key)) for key in batch])
        apply(rows, batch)
        assert tally == tally_of(rows)
        assert tally.rows == len(rows)


@given(st.lists(changes), st.data())
def test_a_compacted_log_adds_up_to_the_same(batches: list[dict[bytes, bytes | None]], data: st.DataObject) -> None:
    log = [(key, value) for batch in batches for key, value in batch.items()]
    newest = {key: place for place, (key, _) in enumerate(log)}
    kept = [
        (key, value) for place, (key, value) in enumerate(log) if newest[key] == place or data.draw(st.booleans())
    ]  # compaction keeps the newest, and what it has not come to
    whole: dict[bytes, bytes] = {}
    compacted: dict[bytes, bytes] = {}
    for rows, records in ((whole, log), (compacted, kept)):
        for key, value in records:
            apply(rows, {key: value})
    assert tally_of(whole) == tally_of(compacted)


@given(st.dictionaries(keys, st.binary(max_size=3), min_size=1), st.data())
def test_a_lost_an_old_and_a_foreign_row_change_the_tally(rows: dict[bytes, bytes], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(rows)))
    lost = {other: value for other, value in rows.items() if other != key}
    assert tally_of(lost) != tally_of(rows)
    assert tally_of({**rows, key: rows[key] + b"old"}) != tally_of(rows)
    assert tally_of({**rows, b"foreign": b""}) != tally_of(rows)


def test_a_seal_comes_back_as_it_was_packed() -> None:
    seal = Seal(Tally(3, 1 << 40), {"events": Absorbed(7, "id")})
    assert unpack_seal(seal.pack()) == seal
    assert unpack_seal(None) is None


def test_a_seal_with_fields_of_a_later_version_is_read() -> None:
    assert unpack_seal(b'{"tally":[1,2],"sources":{},"later":true}') == Seal(Tally(1, 2))


def test_a_seal_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SetupError, match="newer version"):
        unpack_seal(b"\x02not json")
