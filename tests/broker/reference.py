"""A plain replay in one process: dictionaries and loops, nothing shared with the product's arithmetic."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FIXED_POINT = 1024
STRENGTHS = {"view": 1.0, "click": 2.0, "like": 3.0, "share": 3.0, "cart": 3.0, "purchase": 5.0}


@dataclass
class Reference:
    """What the pipeline must hold after these events."""

    history_size: int = 500
    window: int = 50
    ids_kept: int = 50
    histories: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    popularity: Counter[str] = field(default_factory=Counter)
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def is_double(self, user: str, event_id: str) -> bool:
        """Whether the user's newest events hold this id; notes it if not."""
        known = self.ids[user]
        if event_id in known[-self.ids_kept :]:
            return True
        known.append(event_id)
        return False

    def absorb(self, user: str, item: str, event_type: str) -> None:
        """One event of a user, in log order."""
        history = self.histories[user]
        history[item] = max(STRENGTHS[event_type], history.get(item, 0.0))
        if len(history) > self.history_size:
            del history[next(iter(history))]
        self.popularity[item] += 1

    def co_counts(self) -> tuple[Mapping[str, Mapping[str, tuple[int, int]]], Counter[str]]:
        """item → neighbour → (G, C), and the users of each item: Σ pairs(H_u)."""
        weights = [round((k + 1) ** -0.75 * FIXED_POINT) for k in range(self.window)]
        pairs: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        users: Counter[str] = Counter()
        for history in self.histories.values():
            items = list(history)
            users.update(items)
            for later, item in enumerate(items):
                for between in range(min(later, self.window)):
                    other = items[later - 1 - between]
                    for a, b in ((item, other), (other, item)):
                        g, c = pairs[a].get(b, (0, 0))
                        pairs[a][b] = (g + 1, c + weights[between])
        return pairs, users


def co_weights(
    pairs: Mapping[str, Mapping[str, tuple[int, int]]], shrinkage: float = 60.0
) -> dict[str, dict[str, float]]:
    """item → neighbour → weight by the formula of `co`."""
    sums = {item: sum(c for _, c in near.values()) / FIXED_POINT for item, near in pairs.items()}
    return {
        item: {
            other: c / FIXED_POINT / ((sums[item] + shrinkage) ** 0.5 * (sums[other] + shrinkage) ** 0.6)
            for other, (_, c) in near.items()
        }
        for item, near in pairs.items()
    }


def largest(weights: Mapping[str, float], most: int) -> Sequence[float]:
    """The `most` largest weights, largest first."""
    return sorted(weights.values(), reverse=True)[:most]
