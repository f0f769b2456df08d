"""The membership under which offsets are committed."""

import pytest

from agents.errors import FencedError
from agents.runtime.engine import pack_group_metadata


def test_a_membership_is_packed_with_all_that_names_it() -> None:
    assert pack_group_metadata("g", 7, "m", "1") == b"CGMDv2:\x07\0\0\0g\0m\0\x001\0"


@pytest.mark.parametrize(("generation", "member"), [(-1, ""), (-1, "m"), (7, "")])
def test_nothing_is_committed_without_a_membership(generation: int, member: str) -> None:
    with pytest.raises(FencedError, match="no member of group g"):
        pack_group_metadata("g", generation, member, "1")
