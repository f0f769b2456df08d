"""Whether live evaluation has done an erasure, by the rows of its table."""

from agents.erasures import erasure_key
from agents.forgetting import holds_older
from agents.packed import ERASURE, Erasure

USER, ERASED_MS = b"ana", 2_000


def erased(at_ms: int) -> dict[bytes, bytes | None]:
    return {erasure_key(USER): ERASURE.write(Erasure(at_ms))}


def test_a_row_stays_until_this_erasure_is_done() -> None:
    assert holds_older({USER: b"row"}, USER, ERASED_MS)
    assert holds_older({USER: b"row", **erased(1_999)}, USER, ERASED_MS), "that was the erasure before"
    assert not holds_older({USER: b"begun anew", **erased(2_000)}, USER, ERASED_MS)
    assert not holds_older({USER: None}, USER, ERASED_MS)
    assert not holds_older({b"bob": b"row"}, USER, ERASED_MS)
