"""What may be in a list at all: the last guard before it goes out.

Candidates come filtered, but from a view of the catalogue that may be some moments older than the scorer's, and content
candidates come from the scorer itself.
"""

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def allowed_items(
    available: Bools, categories: NDArray[np.integer], wanted: NDArray[np.integer] | None, out: NDArray[np.integer]
) -> Bools:
    """Which of N catalogue items a list may hold, [N].

    available: [N]; categories: [N, w] category numbers, filled up with −1; wanted: the only categories that may be,
    None: all; out: places of items that were seen, excluded or are on the page right now.
    """
    allowed = available.copy()
    allowed[out] = False
    if wanted is not None:
        allowed &= np.isin(categories, wanted[wanted >= 0]).any(axis=1)
    return allowed


def kept(
    ids: list[str], places: NDArray[np.integer], allowed: Bools, out: Set[str], unknown_allowed: bool
) -> NDArray[np.intp]:
    """Places in `ids` of the candidates that may be in the list, each id once, in their order.

    places: catalogue place of each id, −1 for what the catalogue does not hold; those stay only if `unknown_allowed`
    and not in `out` (for all others `allowed` knows).
    """
    fine = np.full(len(ids), unknown_allowed)
    known = places >= 0
    fine[known] = allowed[places[known]]
    if unknown_allowed:
        fine[[place for place in np.flatnonzero(~known).tolist() if ids[place] in out]] = False
    if len(set(ids)) < len(ids):
        first = {name: place for place, name in reversed(list(enumerate(ids)))}
        fine &= np.array([first[name] == place for place, name in enumerate(ids)])
    return np.flatnonzero(fine)
