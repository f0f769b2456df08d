"""What the rules say of each place of the catalogue's index, as arrays that a list gathers from.

They are made anew when a rule changes, begins or ends; after a change of the catalogue for the changed items alone.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from models.item_index import ItemIndex, Places
from models.rules.rule import RuleBook, ShopRule

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

FACTOR_RANGE = (1e-6, 1e6)
"""What boosts and business weight of an item come to together."""


class ItemRules:
    """The rules of kinds boost, pin, block and cap over one index, as of the last `refresh`."""

    def __init__(self, index: ItemIndex) -> None:
        self._index = index
        self._book = RuleBook()
        self._seen_changes = 0
        self._young_until_s = math.inf
        """When the next item grows too old for a rule that selects new ones."""
        self._in_force: list[ShopRule] = []
        self._blocked = np.zeros(0, np.bool_)
        self._factors = np.ones(0, np.float32)
        self._grouped = np.zeros((0, 0), np.bool_)
        self.most = np.zeros(0, np.int64)
        """[r], how many items of each group a list may hold."""
        self.pins: list[tuple[int, str]] = []
        """(position, item), in the order of names and of the items in a rule."""
        self.blocked_ids: frozenset[str] = frozenset()
        """Items blocked by their ids: also those that the catalogue does not hold."""

    def update(self, changes: Iterable[tuple[str, ShopRule | None]]) -> None:
        """Take over rules by name; None: deleted."""
        self._book.update(changes)

    def refresh(self, now_s: float) -> None:
        """Bring the arrays up to the newest rules and catalogue, as of now."""
        seen, self._seen_changes = self._seen_changes, self._index.changes
        if self._book.due(now_s) or now_s >= self._young_until_s:
            self._begin(now_s)
            self._fill(np.arange(len(self._index)), now_s)
        elif seen != self._seen_changes:
            self._fill(self._index.changed_since(seen), now_s)

    def _begin(self, now_s: float) -> None:
        self._in_force, self._young_until_s = self._book.in_force(now_s), math.inf
        self.most = np.array([rule.most for rule in self._in_force if rule.kind == "cap"], np.int64)
        self._grouped = np.zeros((len(self._blocked), len(self.most)), np.bool_)
        self.pins = [
            (rule.position + place, item)
            for rule in self._in_force
            if rule.kind == "pin"
            for place, item in enumerate(rule.items)
        ]
        self.blocked_ids = frozenset(item for rule in self._in_force if rule.kind == "block" for item in rule.items)

    def _fill(self, places: Places, now_s: float) -> None:
        """What holds for these places."""
        self._grow(len(self._index))
        factors, blocked, groups = self._index.weights[places].copy(), np.zeros(len(places), np.bool_), []
        for rule in self._in_force:
            if rule.kind in {"pin", "repeat"}:
                continue
            hit = self._selected(rule, places, now_s)
            if rule.kind == "boost":
                factors[hit] *= np.float32(rule.factor)
            elif rule.kind == "block":
                blocked |= hit
            else:
                groups.append(hit)
        # Many boosts of one item must not leave the range of a float: scores would not be numbers.
        self._factors[places], self._blocked[places] = np.clip(factors, *FACTOR_RANGE), blocked
        if groups:
            self._grouped[places] = np.stack(groups, axis=1)

    def _selected(self, rule: ShopRule, places: Places, now_s: float) -> Bools:
        """Which of these places a rule selects."""
        index = self._index
        hit = np.full(len(places), rule.selects_all)
        if rule.items:
            hit |= np.isin(places, index.places(rule.items))
        for names, words in ((rule.categories, index.categories), (rule.tags, index.tags)):
            if names:
                numbers = index.category_numbers(names)
                hit |= np.isin(words[places], numbers[numbers >= 0]).any(axis=1)
        if rule.added_within_s is not None:
            old_at = index.added_at[places] + rule.added_within_s  # NaN where it is not known: never new
            hit &= old_at > now_s
            self._young_until_s = min(self._young_until_s, old_at[hit].min(initial=math.inf))
        return hit

    def _grow(self, size: int) -> None:
        more = size - len(self._blocked)
        if more <= 0:
            return
        self._blocked = np.concatenate([self._blocked, np.zeros(more, np.bool_)])
        self._factors = np.concatenate([self._factors, np.ones(more, np.float32)])
        self._grouped = np.concatenate([self._grouped, np.zeros((more, self._grouped.shape[1]), np.bool_)])

    def blocked(self, places: Places) -> Bools:
        """Which of these places may not be shown."""
        return self._blocked[places]

    @property
    def all_blocked(self) -> Bools:
        """[N], what may not be shown. Read only."""
        return self._blocked

    def factors(self, places: Places) -> Floats:
        """What the scores of these places are multiplied with, the items' own weights included; 1 for −1.

        places: of any shape, which is that of the answer.
        """
        if not len(self._factors):
            return np.ones(places.shape, np.float32)
        return np.where(places >= 0, self._factors[places], np.float32(1))

    def grouped(self, places: Places) -> Bools:
        """Which of these places are in which capped group, [len(places), r]; in none for −1."""
        if not len(self._grouped):
            return np.zeros((len(places), len(self.most)), np.bool_)
        return self._grouped[places] & (places >= 0)[:, None]
