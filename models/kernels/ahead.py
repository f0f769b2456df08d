"""Rows brought near the processor before they are worked on."""

import numpy as np
from numpy.typing import NDArray

from models.kernels.compiled import compiled

_LINE = 16
"""Numbers of four bytes in a line of the processor's cache."""


@compiled
def fetch(rows: NDArray[np.int64], cols: NDArray[np.int32], weights: NDArray[np.float32]) -> float:
    """Read a number of each cache line of these rows of two tables of one shape; the sum, for the reads to happen.

    These reads do not wait for each other. Work on row after row does: with a million items, whose rows are never in
    the cache, this takes a fifth off a list.
    """
    total = 0.0
    for row in rows:
        for col in range(0, cols.shape[1], _LINE):
            total += cols[row, col] + weights[row, col]
    return total
