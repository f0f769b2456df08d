"""Events in the order of time: before each one it is asked what the list would have been, then it is taken in.

An event counts if the user has a history and the item is not in it: the question is what comes next, not what comes
again. The list has no item of the history. The first part of the events only trains.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.evaluation.events import EvaluationEvent
from agents.evaluation.pipeline import Pipeline
from models.accuracy import NOT_IN_LIST, Accuracy, Exposure
from models.interning import Interner

TRAINED_AT_ONCE = 1_000
EVENTS_A_TICK = 100
"""Events between two looks at new neighbours; measured, 100 is as good as one."""


@dataclass
class Report:
    """What came out: our lists beside plain popularity."""

    lists: Accuracy = field(default_factory=Accuracy)
    popular: Accuracy = field(default_factory=Accuracy)
    exposure: Exposure = field(default_factory=Exposure)
    trained: int = 0
    tested: int = 0
    items: int = 0


class _Popularity:
    """Events of each item so far, and the place of one among those that a user does not have."""

    def __init__(self) -> None:
        self._items, self._counts = Interner(), np.zeros(1024, np.int64)
        self.counts: Counter[str] = Counter()
        self.events = 0

    def add(self, item: str) -> None:
        number = self._items.number(item)
        if number >= len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._counts[number] += 1
        self.counts[item] += 1
        self.events += 1

    def rank(self, item: str, history: Collection[str]) -> int:
        """Items ahead of this one; of those with as many events half, as if drawn."""
        count, theirs = self.counts[item], self._counts[self._items.numbers(history)]
        if not count:
            return NOT_IN_LIST
        ahead = np.count_nonzero(self._counts > count) - np.count_nonzero(theirs > count)
        ties = np.count_nonzero(self._counts == count) - np.count_nonzero(theirs == count) - 1
        return int(ahead + ties // 2)


def prequential(
    events: Sequence[EvaluationEvent], pipeline: Pipeline, k: int, train: float, progress: Callable[[int], object]
) -> Report:
    """Run all events through the pipeline; `train`: the share that only trains. `progress(n)`: n more are done."""
    report, popularity, histories = Report(), _Popularity(), dict[str, set[str]]()
    split = int(len(events) * train)
    for begin in range(0, split, TRAINED_AT_ONCE):
        part = events[begin : min(begin + TRAINED_AT_ONCE, split)]
        pipeline.absorb([event.record() for event in part], part[-1].at_ms)
        pipeline.tick()
        for event in part:
            popularity.add(event.item_id)
            histories.setdefault(event.user_id, set()).add(event.item_id)
        progress(len(part))
    pipeline.settle()
    since_tick = 0
    for group in _groups(events[split:]):
        asked: dict[str, list[str]] = {}
        for event in group:
            history = histories.get(event.user_id, set())
            if history and event.item_id not in history:
                asked.setdefault(event.user_id, []).append(event.item_id)
        lists = pipeline.ask(list(asked), k)
        for (user, targets), made in zip(asked.items(), lists, strict=True):
            shown = [item.item_id for item in made.items]
            report.exposure.add(shown, popularity.counts, popularity.events)
            for target in targets:
                report.lists.add(user, shown.index(target) if target in shown else NOT_IN_LIST)
                report.popular.add(user, popularity.rank(target, histories[user]))
        pipeline.absorb([event.record() for event in group], group[-1].at_ms)
        for event in group:
            popularity.add(event.item_id)
            histories.setdefault(event.user_id, set()).add(event.item_id)
        since_tick += len(group)
        if since_tick >= EVENTS_A_TICK:
            pipeline.tick()
            since_tick = 0
        progress(len(group))
    report.trained, report.tested, report.items = split, len(events) - split, len(popularity.counts)
    return report


def _groups(events: Sequence[EvaluationEvent]) -> Iterator[list[EvaluationEvent]]:
    """Events that may be asked about together: one of a user, or one basket of a user; at most `EVENTS_A_TICK`."""
    group: list[EvaluationEvent] = []
    baskets: dict[str, str] = {}
    for event in events:
        basket = baskets.get(event.user_id)
        if (basket is not None and (not event.basket or event.basket != basket)) or len(group) >= EVENTS_A_TICK:
            yield group
            group, baskets = [], {}
        baskets[event.user_id] = event.basket
        group.append(event)
    if group:
        yield group
