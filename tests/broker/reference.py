"""A plain replay in one process: dictionaries and loops (co-counts: `models.plain`)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.plain import Pairs, co_counts

STRENGTHS = {"view": 1.0, "click": 2.0, "like": 3.0, "share": 3.0, "cart": 3.0, "purchase": 5.0}
RATE = "rate"


@dataclass
class Reference:
    """What the pipeline must hold after these events."""

    history_size: int = 500
    window: int = 50
    ids_kept: int = 50
    histories: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    rated: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """User → items whose strength is a rating."""
    popularity: Counter[str] = field(default_factory=Counter)
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def is_double(self, user: str, event_id: str) -> bool:
        """Whether the user's newest events hold this id; notes it if not."""
        known = self.ids[user]
        if event_id in known[-self.ids_kept :]:
            return True
        known.append(event_id)
        return False

    def absorb(self, user: str, item: str, event_type: str, rating: float = 0.0) -> None:
        """One event of a user, in log order."""
        history, rated = self.histories[user], self.rated[user]
        if event_type == RATE:
            history[item] = rating
            rated.add(item)
        elif item not in rated:
            history[item] = max(STRENGTHS[event_type], history.get(item, 0.0))
        if len(history) > self.history_size:
            oldest = next(iter(history))
            del history[oldest]
            rated.discard(oldest)
        self.popularity[item] += 1

    def ratings(self) -> dict[str, tuple[int, int]]:
        """item → (sum of its ratings in thousandths, how many they are)."""
        found: dict[str, tuple[int, int]] = {}
        for user, rated in self.rated.items():
            for item in rated:
                total, count = found.get(item, (0, 0))
                found[item] = (total + round(1_000 * self.histories[user][item]), count + 1)
        return found

    def co_counts(self) -> tuple[Pairs, Counter[str]]:
        """item → neighbour → (G, C), and the users of each item: Σ pairs(H_u)."""
        return co_counts(self.histories.values(), self.window)


def largest(weights: Mapping[str, float], most: int) -> Sequence[float]:
    """The `most` largest weights, largest first."""
    return sorted(weights.values(), reverse=True)[:most]
