"""EASE (Steck 2019, Embarrassingly Shallow Autoencoders): B = I − P · diag(1 / P_jj), P = (XᵀX + λ·I)⁻¹."""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import lapack

from models.peers.peer import Ints, Scores, TooManyItemsError, top_items, user_rows

REGULARISATION = 300.0
"""λ: the best on MovieLens 100K, and near it elsewhere."""
MOST_ITEMS = 25_000
"""P is items × items in float32: 2.5 GB, and some minutes of one core."""
_AT_ONCE = 1_024
"""Columns that are filled or mirrored at once: what is needed beside P."""


class Ease:
    """Scores are x · B, x the user's row now; B is of the last fit."""

    def __init__(self, regularisation: float = REGULARISATION, recency_power: float = 1.0) -> None:
        """`recency_power`: in x the k-th newest item weighs (k + 1) ** −power; XᵀX is of plain rows."""
        self._regularisation, self._power = regularisation, recency_power
        self._weights: Scores = np.zeros((0, 0), np.float32)

    def fit(self, histories: Sequence[Ints], items: int) -> None:
        """See `Peer`; time grows with the cube of the items."""
        if items > MOST_ITEMS:
            raise TooManyItemsError(
                f"EASE holds a number for each pair of items: {items:,} items are more than the {MOST_ITEMS:,} that "
                "fit into 2.5 GB; leave it out, or take a data set with fewer"
            )
        rows = user_rows(histories, items)
        gram = np.empty((items, items), np.float32, order="F")
        for start in range(0, items, _AT_ONCE):
            gram[:, start : start + _AT_ONCE] = (rows.T @ rows[:, start : start + _AT_ONCE]).toarray()
        gram[np.diag_indices(items)] += self._regularisation
        inverse = _invert(gram).T  # the same, being symmetric, but row by row, as products read it
        diagonal = inverse.diagonal().copy()
        inverse /= -diagonal
        np.fill_diagonal(inverse, 0.0)
        self._weights = inverse

    def follow(self, before: Sequence[Ints], new: Sequence[Ints], items: int) -> None:
        """Only a fit changes B."""

    def recommend(self, histories: Sequence[Ints], k: int) -> Ints:
        """See `Peer`; items that came after the fit are not shown."""
        scores = user_rows(histories, len(self._weights), self._power) @ self._weights
        return top_items(np.ascontiguousarray(scores), histories, k)


def _invert(matrix: Scores) -> Scores:
    """Inverse of a symmetric positive definite matrix in Fortran order, in its place."""
    if not len(matrix):
        return matrix
    factor, failed = lapack.spotrf(matrix, lower=1, overwrite_a=1, clean=0)
    inverse, failed_too = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:  # λ > 0 on the diagonal excludes it
        raise ArithmeticError(f"not positive definite (potrf {failed}, potri {failed_too})")
    for start in range(0, len(inverse), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(inverse))
        block = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = block + np.tril(block, -1).T
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
    return np.asarray(inverse)
