"""What kinds of items lists hold: how unlike they are, and how well their mix fits the user's.

Intra-list diversity: mean of 1 − cosine over pairs of a list, of binary category vectors (Ziegler et al. 2005).
Miscalibration: KL(p ‖ q̃) in nats, p the mix of categories of the history, q that of the list, each item giving 1 shared
by its categories, q̃ = (1 − α)·q + α·p (Steck 2018): 0 for the same mix.

The whole history counts alike here, so that all methods are measured by one thing; what a list is calibrated to weighs
recent items more and takes tags where there are no categories (`models.calibration`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.accuracy import Estimate, clustered_mean
from models.calibration import divergence
from models.interning import Interner

Floats = NDArray[np.float64]


class Categories:
    """Categories of items; items without any are left out of everything."""

    def __init__(self, of_items: Mapping[str, Sequence[str]]) -> None:
        names = Interner()
        self._of_items = {item: np.unique(names.numbers(theirs)) for item, theirs in of_items.items() if len(theirs)}
        self._shares = {item: np.full(len(theirs), 1 / len(theirs)) for item, theirs in self._of_items.items()}
        self._count = len(names)

    def __bool__(self) -> bool:
        return bool(self._of_items)

    def mix(self, items: Iterable[str]) -> Floats | None:
        """Share of each category in these items, float64 [categories], sum 1; None: none of them has one."""
        known = [item for item in items if item in self._of_items]
        if not known:
            return None
        shares = np.concatenate([self._shares[item] for item in known])
        return np.bincount(np.concatenate([self._of_items[item] for item in known]), shares, self._count) / len(known)

    def diversity(self, shown: Iterable[str]) -> float | None:
        """Intra-list diversity; None: fewer than two items have categories."""
        known = [self._of_items[item] for item in shown if item in self._of_items]
        if len(known) < 2:
            return None
        kinds, places = np.unique(np.concatenate(known), return_inverse=True)
        vectors = np.zeros((len(known), len(kinds)))
        lengths = np.array([len(one) for one in known])
        vectors[np.repeat(np.arange(len(known)), lengths), places] = np.repeat(lengths**-0.5, lengths)
        alike = float((vectors.sum(axis=0) ** 2).sum()) - len(known)
        return 1.0 - alike / (len(known) * (len(known) - 1))

    def miscalibration(self, mix: Floats, shown: Iterable[str]) -> float | None:
        """KL between the mix of a history and that of a list; None: no item of the list has categories."""
        theirs = self.mix(shown)
        if theirs is None:
            return None
        held = mix > 0
        return float(divergence(mix[held], theirs[held]))


@dataclass
class Contents:
    """Diversity and miscalibration of the lists of one method."""

    categories: Categories
    _diverse: tuple[list[str], list[float]] = field(default_factory=lambda: ([], []))
    _off: tuple[list[str], list[float]] = field(default_factory=lambda: ([], []))

    def add(self, user: str, shown: Collection[str], mix: Floats | None) -> None:
        """One list, and the mix of its user's history."""
        measured = (
            (self._diverse, self.categories.diversity(shown)),
            (self._off, None if mix is None else self.categories.miscalibration(mix, shown)),
        )
        for (users, values), value in measured:
            if value is not None:
                users.append(user)
                values.append(value)

    def diversity(self) -> Estimate:
        """Mean over lists; NaN: no list had two items with categories."""
        return clustered_mean(self._diverse[0], np.array(self._diverse[1]))

    def miscalibration(self) -> Estimate:
        """Mean over lists; NaN: no list and history had categories."""
        return clustered_mean(self._off[0], np.array(self._off[1]))
