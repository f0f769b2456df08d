"""What rules hide from everyone, and which items a user may see again, by item number (profiles worker)."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue
from models.cooccurrence import Ints
from models.rules.rule import RuleBook, ShopRule


class ReturningItems:
    """The rules of kinds block and repeat over a catalogue, as of the last `refresh`."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._book = RuleBook()
        self._seen_changes = 0
        self._after_s: NDArray[np.float64] | None = None
        self._after_all_s = math.inf
        self.blocked: Ints = np.zeros(0, np.int64)
        """Numbers of the items that nobody may see."""

    def update(self, changes: Iterable[tuple[str, ShopRule | None]]) -> None:
        """Take over rules by name; None: deleted."""
        self._book.update(changes)

    def refresh(self, now_s: float, *, follow_catalogue: bool = True) -> bool:
        """Bring all up to the newest rules, and catalogue if so, as of now; whether anything can have changed."""
        moved = follow_catalogue and len(self._book) > 0 and self._catalogue.changes != self._seen_changes
        if not (moved or self._book.due(now_s)):
            return False
        self._seen_changes = self._catalogue.changes
        rules = self._book.in_force(now_s)
        blocked = [self._selected(rule) for rule in rules if rule.kind == "block"]
        self.blocked = np.unique(np.concatenate(blocked)) if blocked else np.zeros(0, np.int64)
        repeats = [(rule, self._selected(rule)) for rule in rules if rule.kind == "repeat"]
        self._after_s = self._longest(repeats) if repeats else None
        return True

    @property
    def any(self) -> bool:
        """Whether any item may come again."""
        return self._after_s is not None

    def returned(self, numbers: Ints, last_s: Sequence[float] | Ints, now_s: float) -> NDArray[np.bool_]:
        """Which of a user's items may come again, from the times of the last contact, [len(numbers)].

        Where several rules select an item, the longest time counts.
        """
        if self._after_s is None:
            return np.zeros(len(numbers), np.bool_)
        after_s = np.full(len(numbers), self._after_all_s)
        known = numbers < len(self._after_s)
        after_s[known] = self._after_s[numbers[known]]
        told: NDArray[np.bool_] = now_s - np.asarray(last_s) >= after_s
        return told

    def _longest(self, repeats: list[tuple[ShopRule, Ints]]) -> NDArray[np.float64]:
        everywhere = [rule.after_s for rule, _ in repeats if rule.selects_all]
        self._after_all_s = max(everywhere, default=math.inf)
        after_s = np.full(len(self._catalogue.items), max(everywhere, default=0.0))
        for rule, numbers in repeats:
            after_s[numbers] = np.maximum(after_s[numbers], rule.after_s)
        after_s[after_s == 0.0] = math.inf
        return after_s

    def _selected(self, rule: ShopRule) -> Ints:
        catalogue = self._catalogue
        if rule.selects_all:
            return np.zeros(0, np.int64)
        return np.concatenate([catalogue.items.numbers(rule.items), catalogue.having(rule.categories, rule.tags)])
