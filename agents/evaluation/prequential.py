"""Before each event it is asked what the list would be, then the event is taken in: as time went by.

An event counts if the user has a history and its item is not in it: the question is what comes next, not what comes
again. Histories here are whole; a profile keeps `history_size` items, so that lists of a user with more can hold some
that are long gone. The first part of the events only trains.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from zlib import crc32

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset
from agents.evaluation.events import EvaluationEvent, units
from agents.evaluation.pipeline import Pipeline
from agents.records import Rule
from agents.settings import Settings
from models.accuracy import NOT_IN_LIST, Accuracy, Exposure
from models.evaluation import TakenItems
from models.item_index import CATEGORIES_KEPT
from models.variety import Variety

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
    variety: Variety = field(default_factory=Variety)
    trained: int = 0
    """Events that only trained."""
    tested: int = 0
    items: int = 0
    """Items that were taken, are in the catalogue or were shown."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Events that a worker would have put into the dead letters, by reason."""


class Prequential:
    """One run over a data set."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        k: int,
        until: float = 1.0,
        scorers: Sequence[Settings] = (),
        rules: Iterable[Rule] = (),
        share: float = 1.0,
    ) -> None:
        """`until`: the share of the events after which nothing is looked at.

        scorers: further settings of the scorer alone, whose lists are compared in the same run (`others`).
        rules: hold in the lists of `settings`. share: of the users, drawn by their ids, for whom lists are asked for.

        Raises `SetupError` if no event is left, or no item of them is in the catalogue.
        """
        self._events = dataset.events[: round(len(dataset.events) * until)]
        if not self._events:
            raise SetupError(f"{dataset.name}: no events to look at")
        self._k = k
        self._pipeline = Pipeline(settings, self._events[0].at_ms)
        self._pipeline.put_items(dataset.items)
        self._pipeline.put_rules(rules)
        self._share = share
        self._makers = self._pipeline.more_scorers(scorers)
        self.others = [Report() for _ in scorers]
        """What came out for each of `scorers`."""
        self._catalogue = {item["item_id"]: _groups_of(item) for item in dataset.items}
        self._recent_items = settings.recent_items
        if self._catalogue and not any(event.taken in self._catalogue for event in self._events):
            raise SetupError(f"{dataset.name}: no item of the events is in the catalogue: no list could hold one")
        self._taken = TakenItems()
        self._histories: dict[str, dict[str, None]] = {}
        """The items that each user took, in the order of first contact."""

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
        reports = (report, *self.others)
        for group in _groups(tested):
            self._compare(group, reports)
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
        for one in reports:
            one.trained, one.tested = report.trained, report.tested
            one.items = len({*self._catalogue, *self._taken.ids, *one.exposure.shown})
            one.rejected = self._pipeline.rejected
        return report

    def _compare(self, group: Sequence[Unit], reports: Sequence[Report]) -> None:
        """Ask for the lists of all users of a group, none of which knows of the group's events."""
        wanted: dict[str, list[str]] = {}
        for unit in group:
            user = unit[0].user_id
            history = self._histories.get(user)
            new = dict.fromkeys(event.taken for event in unit if event.taken is not None)
            if history and self._asked(user) and (targets := [item for item in new if item not in history]):
                wanted[user] = targets
        lists = self._pipeline.ask_all(list(wanted), self._k, self._makers)
        for (user, targets), *made in zip(wanted.items(), *lists, strict=True):
            ranks = [self._taken.rank(target, self._histories[user]) for target in targets]
            newest = self._groups(self._newest(user))
            for report, one in zip(reports, made, strict=True):
                shown = [item.item_id for item in one.items]
                report.exposure.add(shown, self._taken)
                report.variety.add(self._groups(shown), newest)
                for target, rank in zip(targets, ranks, strict=True):
                    report.lists.add(user, shown.index(target) if target in shown else NOT_IN_LIST)
                    report.popular.add(user, NOT_IN_LIST if rank is None else rank)

    def _asked(self, user: str) -> bool:
        return crc32(user.encode()) < self._share * 2**32

    def _newest(self, user: str) -> list[str]:
        return list(islice(reversed(self._histories[user]), self._recent_items))

    def _groups(self, items: Iterable[str]) -> list[Sequence[str]]:
        return [self._catalogue.get(item, ()) for item in items]

    def _absorb(self, events: Sequence[EvaluationEvent]) -> None:
        self._pipeline.absorb([event.record() for event in events], events[-1].at_ms)
        for event in events:
            if (item := event.taken) is not None:
                self._taken.add(item)
                self._histories.setdefault(event.user_id, {})[item] = None


def _groups_of(item: Mapping[str, Any]) -> Sequence[str]:
    """What calibration looks at: categories, tags where there are none."""
    return [*dict.fromkeys(item.get("categories") or item.get("tags") or ())][:CATEGORIES_KEPT]


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
