"""Before each event it is asked what the list would be, then the event is taken in: as time went by.

An event counts if the user has a history and its item is not in it: the question is what comes next, not what comes
again. Histories here are whole; a profile keeps `history_size` items, so that lists of a user with more can hold some
that are long gone. The first part of the events only trains.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from agents.errors import SetupError
from agents.evaluation.against import REFITS, Against
from agents.evaluation.datasets import Dataset
from agents.evaluation.events import EvaluationEvent, units
from agents.evaluation.pipeline import TRAINED_AT_ONCE, Pipeline
from agents.evaluation.report import OURS, POPULAR, Method, Report
from agents.records import Rule
from agents.settings import Settings
from models.accuracy import NOT_IN_LIST
from models.categories import Categories, Contents, Floats
from models.evaluation import TakenItems
from models.peers.peer import Peer

EVENTS_A_SECOND = 100
"""The pace: with it `rows_published_per_s` says how soon neighbours follow."""

Unit = list[EvaluationEvent]


class Prequential:
    """One run over a data set."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        k: int,
        until: float = 1.0,
        peers: Mapping[str, Peer] | None = None,
        rules: Iterable[Rule] = (),
        scorers: Mapping[str, Settings] | None = None,
        feedback: bool = False,
    ) -> None:
        """`until`: the share of the events after which nothing is looked at; `peers`: fresh models to compare with.

        `rules`: what holds in all lists. `scorers`: other settings of the scorer, compared as methods of these names.
        `feedback`: what users take from the lists of `settings` teaches the ranker of these.

        Raises `SetupError` if no event is left, or no item of them is in the catalogue.
        """
        self._events = dataset.events[: round(len(dataset.events) * until)]
        if not self._events:
            raise SetupError(f"{dataset.name}: no events to look at")
        self._k = k
        self._pipeline = Pipeline(settings, self._events[0].at_ms, feedback=feedback)
        self._pipeline.put_items(dataset.items)
        self._pipeline.put_rules(rules)
        self._makers = self._pipeline.more_scorers(scorers or {})
        self._catalogue = {item["item_id"] for item in dataset.items}
        if self._catalogue and not any(event.taken in self._catalogue for event in self._events):
            raise SetupError(f"{dataset.name}: no item of the events is in the catalogue: no list could hold one")
        self._categories = Categories({item["item_id"]: item.get("categories") or () for item in dataset.items})
        self._against, self._trained = Against(peers or {}), set[str]()
        self._taken = TakenItems()
        self._histories: dict[str, set[str]] = {}

    @property
    def count(self) -> int:
        """Events to be played."""
        return len(self._events)

    def run(self, train: float, progress: Callable[[int], object]) -> Report:
        """Play all events; `train`: the share that only trains. `progress(n)`: n more are done.

        Raises `SetupError` if nothing could be compared, or a model cannot hold the items.
        """
        report, played, tested = Report(), 0, iter(units(self._events))
        for name in (OURS, POPULAR, *self._makers, *self._against.names):
            report.methods[name] = Method(Contents(self._categories))
        for part in _parts(tested, round(train * len(self._events))):
            self._absorb(part)
            self._pipeline.tick()
            played += len(part)
            progress(len(part))
        self._pipeline.settle()
        self._trained = set(self._taken.ids)
        report.trained, since_tick, fits = played, 0, 0
        for group in groups(tested):
            if report.tested * (REFITS + 1) >= fits * (len(self._events) - played):
                self._against.fit()
                fits += 1
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
        report.peer_seconds = {name: round(seconds, 1) for name, seconds in self._against.seconds.items()}
        report.ranker = self._pipeline.ranker
        return report

    def _compare(self, group: Sequence[Unit], report: Report) -> None:
        """Ask for the lists of all users of a group, none of which knows of the group's events."""
        wanted, asked_ms = questions(group, self._histories)
        users = list(wanted)
        mixes = [self._categories.mix(self._histories[user]) if self._categories else None for user in users]
        made = self._pipeline.ask_all(asked_ms, self._k, {OURS: None, **self._makers})
        lists = {name: [[item.item_id for item in one.items] for one in of_users] for name, of_users in made.items()}
        lists |= self._against.ask(users, self._k)
        for name, of_users in lists.items():
            method = report.methods[name]
            for user, shown, mix in zip(users, of_users, mixes, strict=True):
                method.show(user, shown, self._taken, mix)
                method.ask(user, shown, wanted[user])
        self._compare_popularity(wanted, mixes, report)

    def _compare_popularity(
        self, wanted: Mapping[str, Sequence[str]], mixes: Sequence[Floats | None], report: Report
    ) -> None:
        """The most frequent items as a list; and when all of this was, for all methods."""
        popular = report.methods[POPULAR]
        number = report.moments.lists[-1] + 1 if report.moments.lists else 0
        for place, (user, targets) in enumerate(wanted.items()):
            history = self._histories[user]
            popular.show(user, self._taken.most_frequent(self._k, history), self._taken, mixes[place])
            for target in targets:
                rank = self._taken.rank(target, history)
                popular.accuracy.add(user, NOT_IN_LIST if rank is None else rank)
                known = target in self._trained
                report.moments.add(number + place, len(history), self._taken.count(target), known)

    def _absorb(self, events: Sequence[EvaluationEvent]) -> None:
        self._pipeline.absorb([event.record() for event in events], events[-1].at_ms)
        taken = [(event.user_id, event.taken) for event in events if event.taken is not None]
        self._against.follow(taken)
        for user, item in taken:
            self._taken.add(item)
            self._histories.setdefault(user, set()).add(item)


def questions(
    group: Iterable[Unit], histories: Mapping[str, Collection[str]]
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """User → items of the group's events that are new to the user, and when the first came, of users with a history."""
    wanted: dict[str, list[str]] = {}
    asked_ms: dict[str, int] = {}
    for unit in group:
        user = unit[0].user_id
        history = histories.get(user)
        new = dict.fromkeys(event.taken for event in unit if event.taken is not None)
        if history and (targets := [item for item in new if item not in history]):
            wanted[user], asked_ms[user] = targets, unit[0].at_ms
    return wanted, asked_ms


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


def groups(left: Iterator[Unit]) -> Iterator[list[Unit]]:
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
