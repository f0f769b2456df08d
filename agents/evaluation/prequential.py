"""Before each event it is asked what the list would be, then the event is taken in: as time went by.

An event counts if the user has a history and its item is not in it: the question is what comes next, not what comes
again. Histories here are whole; a profile keeps `history_size` items, so that lists of a user with more can hold some
that are long gone. The first part of the events only trains.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset
from agents.evaluation.events import EvaluationEvent, units
from agents.evaluation.pipeline import Pipeline
from agents.records import ModelVersion
from agents.settings import Settings
from models.accuracy import NOT_IN_LIST, Accuracy, Exposure
from models.evaluation import TakenItems

TRAINED_AT_ONCE = 1_000
EVENTS_A_SECOND = 100
"""The pace: with it `rows_published_per_s` says how soon neighbours follow."""

Unit = list[EvaluationEvent]


@dataclass
class Report:
    """What came out: our lists beside plain popularity."""

    lists: Accuracy = field(default_factory=Accuracy)
    popular: Accuracy = field(default_factory=Accuracy)
    exposure: Exposure = field(default_factory=Exposure)
    trained: int = 0
    """Events that only trained."""
    tested: int = 0
    items: int = 0
    """Items that were taken, are in the catalogue or were shown."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Events that a worker would have put into the dead letters, by reason."""
    ranker: ModelVersion | None = None
    """What was learned from feedback."""


class Prequential:
    """One run over a data set."""

    def __init__(
        self, dataset: Dataset, settings: Settings, k: int, until: float = 1.0, feedback: bool = False
    ) -> None:
        """`until`: the share of the events after which nothing is looked at; `feedback`: see `Pipeline`.

        Raises `SetupError` if no event is left, or no item of them is in the catalogue.
        """
        self._events = dataset.events[: round(len(dataset.events) * until)]
        if not self._events:
            raise SetupError(f"{dataset.name}: no events to look at")
        self._k = k
        self._pipeline = Pipeline(settings, self._events[0].at_ms, feedback)
        self._pipeline.put_items(dataset.items)
        self._catalogue = {item["item_id"] for item in dataset.items}
        if self._catalogue and not any(event.taken in self._catalogue for event in self._events):
            raise SetupError(f"{dataset.name}: no item of the events is in the catalogue: no list could hold one")
        self._taken = TakenItems()
        self._histories: dict[str, set[str]] = {}

    @property
    def count(self) -> int:
        """Events to be played."""
        return len(self._events)

    def run(self, train: float, progress: Callable[[int], object]) -> Report:
        """Play all events; `train`: the share that only trains. `progress(n)`: n more are done.

        Raises `SetupError` if nothing could be compared.
        """
        report, played, tested = Report(), 0, iter(units(self._events))
        for part in _parts(tested, round(train * len(self._events))):
            self._absorb(part)
            self._pipeline.tick()
            played += len(part)
            progress(len(part))
        self._pipeline.settle()
        report.trained, since_tick = played, 0
        for group in _groups(tested):
            self._compare(group, report)
            events = [event for unit in group for event in unit]
            self._absorb(events)
            report.tested += len(events)
            since_tick += len(events)
            if since_tick >= EVENTS_A_SECOND:
                self._pipeline.tick()
                since_tick = 0
            progress(len(events))
        if not report.lists.ranks:
            raise SetupError(
                "nothing to compare: no user with a history took an item for the first time among the last "
                f"{report.tested} events; train with fewer"
            )
        self._pipeline.close()
        report.items = len(self._catalogue.union(self._taken.ids, report.exposure.shown))
        report.rejected = self._pipeline.rejected
        report.ranker = self._pipeline.ranker
        return report

    def _compare(self, group: Sequence[Unit], report: Report) -> None:
        """Ask for the lists of all users of a group, none of which knows of the group's events."""
        wanted: dict[str, list[str]] = {}
        for unit in group:
            user = unit[0].user_id
            history = self._histories.get(user)
            new = dict.fromkeys(event.taken for event in unit if event.taken is not None)
            if history and (targets := [item for item in new if item not in history]):
                wanted[user] = targets
        lists = self._pipeline.ask(list(wanted), self._k)
        for (user, targets), made in zip(wanted.items(), lists, strict=True):
            shown = [item.item_id for item in made.items]
            report.exposure.add(shown, self._taken)
            for target in targets:
                report.lists.add(user, shown.index(target) if target in shown else NOT_IN_LIST)
                rank = self._taken.rank(target, self._histories[user])
                report.popular.add(user, NOT_IN_LIST if rank is None else rank)

    def _absorb(self, events: Sequence[EvaluationEvent]) -> None:
        self._pipeline.absorb([event.record() for event in events], events[-1].at_ms)
        for event in events:
            if (item := event.taken) is not None:
                self._taken.add(item)
                self._histories.setdefault(event.user_id, set()).add(item)


def _parts(left: Iterator[Unit], count: int) -> Iterator[list[EvaluationEvent]]:
    """The first units with `count` events or a few more, `TRAINED_AT_ONCE` at a time; the others stay in `left`."""
    part: list[EvaluationEvent] = []
    while count > 0 and (unit := next(left, None)) is not None:
        part += unit
        count -= len(unit)
        if len(part) >= TRAINED_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _groups(left: Iterator[Unit]) -> Iterator[list[Unit]]:
    """Units that can be asked about together: one of each user, about `EVENTS_A_SECOND` events."""
    group: list[Unit] = []
    users: set[str] = set()
    events = 0
    for unit in left:
        user = unit[0].user_id
        if user in users or events >= EVENTS_A_SECOND:
            yield group
            group, users, events = [], set(), 0
        group.append(unit)
        users.add(user)
        events += len(unit)
    if group:
        yield group
