"""A plain replay in one process: dictionaries and loops (co-counts: `models.plain`)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.plain import Pairs, co_counts

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

    def co_counts(self) -> tuple[Pairs, Counter[str]]:
        """item → neighbour → (G, C), and the users of each item: Σ pairs(H_u)."""
        return co_counts(self.histories.values(), self.window)


def largest(weights: Mapping[str, float], most: int) -> Sequence[float]:
    """The `most` largest weights, largest first."""
    return sorted(weights.values(), reverse=True)[:most]
