"""Live hits and clicks once more, with dictionaries and loops, from the records as a whole."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Place = tuple[int, int]
CONTACTS = {"view", "click", "like", "share", "cart", "purchase", "rate"}
Counts = dict[tuple[str, str], Counter[str]]
"""(variant, slice) → counter → count, without zeros."""


@dataclass
class UserLog:
    """All records of one user, each kind in log order."""

    events: list[tuple[int, str, str]] = field(default_factory=list)
    """(time, item, type)."""
    lists: list[tuple[Place, str, Sequence[str], Sequence[str]]] = field(default_factory=list)
    """(place, variant, items, leading sources)."""
    outcomes: list[tuple[str, str, str, int]] = field(default_factory=list)
    """(variant, outcome, source, position)."""


def band(position: int) -> str:
    return "1" if position == 0 else "2-3" if position < 3 else "4-10" if position < 10 else "11+"


def slices(source: str, position: int) -> list[str]:
    return ["all", "source:" + source, "place:" + band(position)]


def plain_counts(log: UserLog, k: int, window_ms: int, history_size: int = 500) -> Counts:
    """What one user adds up to."""
    counts: Counts = defaultdict(Counter)
    for _, variant, items, sources in log.lists:
        counts[variant, "all"]["lists"] += 1
        for position in range(len(items)):
            for name in slices(sources[position], position):
                counts[variant, name]["places"] += 1
    for variant, outcome, source, position in log.outcomes:
        if outcome in {"shown", "clicked", "bought", "skipped"}:
            for name in slices(source, position):
                counts[variant, name][outcome] += 1
    history: list[str] = []
    for at_ms, item, kind in log.events:
        if kind not in CONTACTS or item in history:
            continue
        before = [one for one in log.lists if at_ms - window_ms <= one[0][0] < at_ms]
        if history and before:
            _, variant, items, sources = max(before, key=lambda one: one[0])
            counts[variant, "all"]["events"] += 1
            if item in items[:k]:
                position = list(items).index(item)
                for name in slices(sources[position], position):
                    counts[variant, name]["hits"] += 1
        history = [*history, item][-history_size:]
    return counts


def sums(users: Iterable[Counts]) -> Counts:
    """Added up over users."""
    total: Counts = defaultdict(Counter)
    for counts in users:
        for place, of_place in counts.items():
            total[place].update(of_place)
    return total
