"""One rule, and when it holds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["boost", "pin", "block", "repeat", "cap"]


@dataclass(frozen=True)
class ShopRule:
    """What is to be done with the items that it selects: those of `items`, of one of the `categories` or of the `tags`;
    all if it names none of them. With `added_within_s` only those that are not older in the catalogue."""

    name: str
    kind: Kind
    items: Sequence[str] = ()
    categories: Sequence[str] = ()
    tags: Sequence[str] = ()
    added_within_s: float | None = None
    factor: float = 1.0
    """boost: the score is multiplied with it, > 0."""
    position: int = 0
    """pin: place of the first of `items`, from 0; the others follow it."""
    after_s: float = math.inf
    """repeat: an item that the user had to do with may come again so long after the last time."""
    most: int = 0
    """cap: so many of the items together may be in a list."""
    from_s: float = 0.0
    until_s: float = math.inf
    """It holds from `from_s` to before `until_s`, Unix seconds."""

    @property
    def selects_all(self) -> bool:
        """It names neither items nor words."""
        return not (self.items or self.categories or self.tags)


class RuleBook:
    """Rules by name, and which of them hold."""

    def __init__(self) -> None:
        self._rules: dict[str, ShopRule] = {}
        self._good_until_s = math.inf

    def __len__(self) -> int:
        return len(self._rules)

    def update(self, changes: Iterable[tuple[str, ShopRule | None]]) -> None:
        """Take over rules by name; None: deleted."""
        for name, rule in changes:
            self._good_until_s = -math.inf
            if rule is None:
                self._rules.pop(name, None)
            else:
                self._rules[name] = rule

    def due(self, now_s: float) -> bool:
        """Whether a rule was changed, began or ended since `in_force` was last asked."""
        return now_s >= self._good_until_s

    def in_force(self, now_s: float) -> list[ShopRule]:
        """The rules that hold now, by name."""
        turns = [at for rule in self._rules.values() for at in (rule.from_s, rule.until_s) if at > now_s]
        self._good_until_s = min(turns, default=math.inf)
        return sorted((rule for rule in self._rules.values() if rule.from_s <= now_s < rule.until_s), key=_by_name)


def _by_name(rule: ShopRule) -> str:
    return rule.name
