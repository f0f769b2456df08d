"""How far two models agree on an order."""

import numpy as np
from numpy.typing import NDArray


def agreement(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """The share of pairs of candidates that both order alike, within [0, 1]; chances: [n], n ≥ 2.

    1 is the same order, .5 what chance gives, 0 the reverse (Kendall's τ is twice this minus 1).
    """
    upper = np.triu_indices(len(one), 1)
    first, second = (np.sign(scores[:, None] - scores[None])[upper] for scores in (one, other))
    return float((first == second).mean())
