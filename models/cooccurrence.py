"""Co-counts as a pure function of histories: what one batch of events changes is `pairs(after) − pairs(before)`.

Two integers are kept for a pair of items at most W places apart in a history: G, the number of users, and C, the sum of
`(k + 1) ** -0.75` for k places between them, in fixed point. Both live in one int64, so that one sum does both:
`packed = G · 2^37 + C`. Integers, because then order cannot matter and nothing is left after a subtraction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.pair_sums import pair_sums

Ints = NDArray[np.int64]
S = TypeVar("S", list[str], Ints)

FIXED_POINT = 1 << 10
"""C counts in steps of 1 / FIXED_POINT."""
DISTANCE_POWER = 0.75
_G_UNIT_BITS = 37
"""C < 2^36 (67 million users at full weight for one pair), and G < 2^26: both fit an int64 with their signs."""
G_LIMIT, C_LIMIT = 1 << 26, 1 << 36
"""What packed counts stay below."""
_G_UNIT = 1 << _G_UNIT_BITS
_HALF = _G_UNIT >> 1


def pack_counts(g: NDArray[np.integer], c: NDArray[np.integer]) -> Ints:
    """G and C in one int64 each."""
    return (g.astype(np.int64) << _G_UNIT_BITS) + c


def unpack_counts(packed: Ints) -> tuple[Ints, Ints]:
    """(G, C) of `pack_counts`, also of sums and differences of packed counts."""
    c = ((packed + _HALF) & (_G_UNIT - 1)) - _HALF
    return (packed - c) >> _G_UNIT_BITS, c


def distance_weights(window: int) -> Ints:
    """Packed contribution of one pair by the places k between its items, int64 [window]."""
    c = np.rint((np.arange(window) + 1.0) ** -DISTANCE_POWER * FIXED_POINT).astype(np.int64)
    return pack_counts(np.ones(window, np.int64), c)


@dataclass(frozen=True)
class Sequences:
    """Histories that changed, laid end to end: of each, what it was and then the new items.

    items: item numbers, int64 [N]; starts: first place of each history, int64 [U]; old: how many items it had, int64
    [U]; left: how many of the first are gone now, int64 [U].
    """

    items: Ints
    starts: Ints
    old: Ints
    left: Ints


def within_reach(before: S, left: int, window: int) -> S:
    """The part of a history that changed pairs reach: all of it if items left it, which are its first."""
    return before if left else before[-window:]


def sequences_of(items: Ints, counts: Sequence[tuple[int, int, int]]) -> Sequences:
    """`Sequences` of items that are laid end to end already; counts: of each history (old, new, left)."""
    old, new, left = np.ascontiguousarray(np.array(counts, np.int64).reshape(-1, 3).T)
    lengths = old + new
    return Sequences(items, np.cumsum(lengths) - lengths, old, left)


def lay_out(changes: Sequence[tuple[Ints, Ints, int]]) -> Sequences:
    """`Sequences` of (before, new, left) triples; of `before` it is enough what is `within_reach`."""
    parts = [part for before, new, _ in changes for part in (before, new)]
    items = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return sequences_of(items, [(len(before), len(new), left) for before, new, left in changes])


def pair_changes(sequences: Sequences, size: int, window: int) -> tuple[sparse.csr_array, Ints]:
    """What the changed histories add to the co-counts, and to the users of each item.

    Returns a symmetric CSR matrix of packed counts, int64 [size × size], without zeros, and the change of G_ii, int64
    [size]. `size` is above every item number.
    """
    weights = distance_weights(window)
    indptr, cols, counts, users = pair_sums(
        sequences.items, sequences.starts, sequences.old, sequences.left, weights, size
    )
    return sparse.csr_array((counts, cols, indptr), shape=(size, size)), users


def entries_of(indptr: NDArray[np.integer], rows: Ints) -> tuple[Ints, Ints]:
    """Entries of some rows of a CSR matrix: (how many each row has [R], their places, row by row [Σ])."""
    starts = indptr[rows].astype(np.int64)
    lengths = indptr[rows + 1] - starts
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return lengths, np.arange(total) + np.repeat(starts - (ends - lengths), lengths)


def count_pairs(histories: Sequence[Ints], size: int, window: int) -> tuple[sparse.csr_array, Ints]:
    """Σ_u pairs(H_u) from scratch: the co-counts and users that these histories stand for (see `pair_changes`)."""
    nothing = np.zeros(0, np.int64)
    return pair_changes(lay_out([(nothing, history, 0) for history in histories]), size, window)
