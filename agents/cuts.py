"""Which states of two logs belong together: the header `cut` of `cooccurrence` messages.

A transaction's seal in the profiles changelog (`agents.runtime.seal`) says which source offsets the rows before it
stand for. Its `cooccurrence` messages carry the same offsets, and how many more of them follow in their partition. So
one can tell, however busy the stream is and also long after, which histories the co-count changes up to a message come
from; reading committed offsets twice until they do not change could only tell that when everything stands still.
"""

from collections.abc import Sequence

import msgspec

from agents.packed import PackedCodec

CUT_HEADER = "cut"

Places = dict[str, int]
"""Source topic → next offset, of one partition."""
Headers = list[tuple[str, bytes]]


class Cut(msgspec.Struct, array_like=True, gc=False):
    """The end, or a part, of one transaction."""

    places: dict[int, Places]
    """Partition → where its sources stand after this transaction."""
    left: int = 0
    """Records of this transaction still to come in this partition of this topic."""


CUT = PackedCodec(Cut)


def cut_header(cut: Cut) -> Headers:
    """The headers of a record with this cut."""
    return [(CUT_HEADER, CUT.write(cut))]


def read_cut(headers: Sequence[tuple[str, bytes]]) -> Cut | None:
    """The cut that a record carries, if it does. Raises `RecordError` if it is not readable."""
    for name, value in headers:
        if name == CUT_HEADER:
            return CUT.read(value)
    return None
