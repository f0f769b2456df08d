"""The membership under which offsets are committed."""

import pytest

from agents.errors import FencedError
from agents.runtime.engine import (
    EMBEDDED_FETCH_WAIT_MS,
    FETCH_WAIT_MS,
    GATHERED_FETCH_BYTES,
    GATHERED_FETCH_WAIT_MS,
    pace_of,
    pack_group_metadata,
)


def test_a_membership_is_packed_with_all_that_names_it() -> None:
    assert pack_group_metadata("g", 7, "m", "1") == b"CGMDv2:\x07\0\0\0g\0m\0\x001\0"


@pytest.mark.parametrize(("generation", "member"), [(-1, ""), (-1, "m"), (7, "")])
def test_nothing_is_committed_without_a_membership(generation: int, member: str) -> None:
    with pytest.raises(FencedError, match="no member of group g"):
        pack_group_metadata("g", generation, member, "1")


def test_only_who_gathers_for_long_waits_for_bytes() -> None:
    assert pace_of(False, 0.0, 4_000_000) == (FETCH_WAIT_MS, 1)
    assert pace_of(False, 0.3, 4_000_000) == (FETCH_WAIT_MS, 1)
    assert pace_of(False, 2.0, 4_000_000) == (GATHERED_FETCH_WAIT_MS, GATHERED_FETCH_BYTES)
    assert pace_of(False, 2.0, 1_000) == (GATHERED_FETCH_WAIT_MS, 1_000)
    assert pace_of(True, 2.0, 4_000_000) == (EMBEDDED_FETCH_WAIT_MS, 1)
