"""Item–item similarity from co-counts: sparse sums of changes, weights of neighbours, the strongest of a row."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.cooccurrence import FIXED_POINT, Ints, unpack_counts

Floats = NDArray[np.float64]
Method = Literal["co", "cosine"]
CsrRows = sparse.csr_array
"""Co-count rows: packed counts, int64 [rows × items]."""

ROW_NORM_POWER = 0.5
COLUMN_NORM_POWER = 0.6
"""Powers of the two shrunk norms in `co_weights`; measured best over five data sets with a shrinkage of 60."""
GROUP = 32
"""Weights that `strongest` looks at together."""
CAP_SLACK = 1.25
"""A row is cut to its cap only when it is this much longer, so that the cut is paid for seldom."""


def sum_changes(rows: Ints, cols: Ints, packed: Ints, size: int) -> tuple[Ints, sparse.csr_array]:
    """Sum packed changes of co-counts given as coordinates.

    Returns the rows that occur, ascending, int64 [R], and their changes, CSR int64 [R × size].
    """
    present = np.zeros(size, bool)
    present[rows] = True
    touched = np.flatnonzero(present)
    place = np.empty(size, np.int64)
    place[touched] = np.arange(len(touched))
    return touched, sparse.coo_array((packed, (place[rows], cols)), shape=(len(touched), size)).tocsr()


def row_matrix(cols: Sequence[Ints], packed: Sequence[Ints], size: int) -> sparse.csr_array:
    """Rows given as pairs of ascending columns and packed counts, as CSR int64 [len(cols) × size]."""
    indptr = np.zeros(len(cols) + 1, np.int64)
    np.cumsum([len(row) for row in cols], out=indptr[1:])
    if not len(cols):
        return sparse.csr_array((0, size), dtype=np.int64)
    return sparse.csr_array((np.concatenate(packed), np.concatenate(cols), indptr), shape=(len(cols), size))


def co_weights(c: Ints, row_sum: Ints, column_sum: Ints, shrinkage: float) -> Floats:
    """`C_ij / ((R_i + s)^0.5 · (R_j + s)^0.6)`; C and the sums R in fixed point, all of one shape or broadcast."""
    row = (row_sum / FIXED_POINT + shrinkage) ** ROW_NORM_POWER
    column = (np.maximum(column_sum, c) / FIXED_POINT + shrinkage) ** COLUMN_NORM_POWER
    weights: Floats = c / FIXED_POINT / (row * column)
    return weights


def cosine_weights(g: Ints, row_users: Ints, column_users: Ints) -> Floats:
    """`G_ij / √(G_ii · G_jj)`; all of one shape or broadcast. A norm not known yet counts as G_ij."""
    least = np.maximum(g, 1)
    weights: Floats = g / np.sqrt(np.maximum(row_users, least) * np.maximum(column_users, least))
    return weights


def neighbour_weights(
    rows: sparse.csr_array,
    row_users: Ints,
    row_sums: Ints,
    users: Ints,
    sums: Ints,
    method: Method,
    shrinkage: float,
) -> Floats:
    """Weights of all entries of co-count rows, float64 [rows.nnz].

    rows: CSR of packed counts [R × n]; row_users, row_sums: G_ii and R_i of the rows [R]; users, sums: of all items
    [n].
    """
    g, c = unpack_counts(rows.data)
    lengths = np.diff(rows.indptr)
    if method == "cosine":
        return cosine_weights(g, np.repeat(row_users, lengths), users[rows.indices])
    return co_weights(c, np.repeat(row_sums, lengths), sums[rows.indices], shrinkage)


def strongest(weights: Floats, most: int) -> Ints:
    """Places of the `most` largest weights, largest first; equal weights in the order of their places."""
    if not most:
        return np.zeros(0, np.int64)
    near = _not_too_weak(weights, most)
    found = weights[near]
    if len(near) > most:
        kept = np.sort(np.argpartition(-found, most - 1)[:most])
        near, found = near[kept], found[kept]
    return near[np.argsort(-found, kind="stable")]


def _not_too_weak(weights: Floats, most: int) -> Ints:
    """Places, ascending, that hold all of the `most` largest weights and few others.

    The least of the `most` largest maxima of groups is a bound: it costs one pass at the speed of memory, and the
    selection, which is slow for each weight, has little left to look at.
    """
    groups = len(weights) // GROUP
    if groups <= most:
        return np.arange(len(weights))
    maxima = weights[: groups * GROUP].reshape(GROUP, groups).max(axis=0)
    return np.flatnonzero(weights >= np.partition(maxima, groups - most)[groups - most])
