"""Items that nobody had to do with: a share of the items is withheld, and the lists are asked for them.

Events of withheld items never reach the agents, neither before nor after the split, so that each of them is about an
item of which only the catalogue entry is known. The user of such an event is asked for a list like that of any other.
Two questions are asked of the same candidates: is the item in the list as the settings make it, where all compete; and
in a list of new items alone, ten of each ten places being for them? The second tells how well texts find it.

What is new is new to the product, too: catalogue entries that nobody ever took compete with the withheld ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset
from agents.evaluation.events import EvaluationEvent, units
from agents.evaluation.pipeline import Pipeline
from agents.evaluation.prequential import EVENTS_A_SECOND, Unit, groups, questions
from agents.evaluation.report import OURS, POPULAR
from agents.settings import Settings
from models.accuracy import NOT_IN_LIST
from models.evaluation import TakenItems

NEW_ONLY = "new items only"
FRESH = "fresh"
"""A list of the new items alone, in random order: all of them came at the same time."""
ALL_PLACES = 10
ONE_PLACE = "one place in ten new"
"""Lists with `explore_slots` 1, whatever the settings say."""


@dataclass
class ColdReport:
    """What was asked, event by event, of any number of runs."""

    users: list[str] = field(default_factory=list)
    cold: list[bool] = field(default_factory=list)
    """The event's item was withheld."""
    new: list[int] = field(default_factory=list)
    """Items of the catalogue that nobody had taken."""
    ranks: dict[str, list[int]] = field(default_factory=dict)
    """Method → place of the item in its list, from 0, or `NOT_IN_LIST`."""
    withheld: int = 0
    trained: int = 0


def withhold(events: Iterable[EvaluationEvent], catalogue: Iterable[str], share: float, seed: int) -> set[str]:
    """That share of the items that are taken and in the catalogue, drawn."""
    taken = {event.taken for event in events}
    items = sorted(item for item in set(catalogue) if item in taken)
    return set(np.random.default_rng(seed).permutation(items)[: round(share * len(items))].tolist())


class ColdItems:
    """One run over a data set."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        k: int,
        share: float,
        seed: int,
        until: float = 1.0,
        scorers: Mapping[str, Settings] | None = None,
    ) -> None:
        """Parameters as of `Prequential`; `share` of the items is withheld, drawn with `seed`.

        Raises `SetupError` if that is none.
        """
        self._events = dataset.events[: round(len(dataset.events) * until)]
        self._catalogue = {item["item_id"] for item in dataset.items}
        self.withheld = withhold(self._events, self._catalogue, share, seed)
        if not self.withheld:
            raise SetupError(f"{dataset.name}: {share:g} of the items of events that are in the catalogue are none")
        self._k, self._taken, self._histories = k, TakenItems(), dict[str, set[str]]()
        self._unseen = set(self._catalogue)
        self._pipeline = Pipeline(settings, self._events[0].at_ms)
        self._pipeline.put_items(dataset.items)
        slots = {ONE_PLACE: 1, NEW_ONLY: ALL_PLACES}
        others = {name: settings.model_copy(update={"explore_slots": number}) for name, number in slots.items()}
        self._makers = {OURS: None, **self._pipeline.more_scorers({**others, **(scorers or {})})}

    @property
    def known(self) -> list[str]:
        """Items that the agents heard of by events."""
        return self._taken.ids

    def run(self, train: float, report: ColdReport, progress: Callable[[int], object]) -> None:
        """Play all events and add what was asked to the report; `train`: the share that only trains.

        `progress(n)`: n more events are done. Raises `SetupError` if no event could be asked about.
        """
        cut, asked = round(train * len(self._events)), len(report.users)
        known = self._without(self._events[:cut])
        for part in self._pipeline.train(known):
            self._follow(part)
            progress(len(part))
        report.trained, report.withheld = len(known), len(self.withheld)
        progress(cut - len(known))
        since_tick = 0
        for group in groups(units(self._events[cut:])):
            self._ask(group, report)
            events = [event for unit in group for event in unit]
            self._absorb(self._without(events))
            since_tick += len(events)
            if since_tick >= EVENTS_A_SECOND:
                self._pipeline.tick()
                since_tick = 0
            progress(len(events))
        self._pipeline.close()
        if not any(report.cold[asked:]):
            raise SetupError(
                "no user with a history took a withheld item after the split: withhold more, or train less"
            )

    def _without(self, events: Iterable[EvaluationEvent]) -> list[EvaluationEvent]:
        return [event for event in events if event.event.item_id not in self.withheld]

    def _ask(self, group: Sequence[Unit], report: ColdReport) -> None:
        wanted, asked_ms = questions(group, self._histories)
        if not wanted:
            return
        made = self._pipeline.ask_all(asked_ms, self._k, self._makers)
        lists = {name: [[item.item_id for item in one.items] for one in of_users] for name, of_users in made.items()}
        lists[POPULAR] = [self._taken.most_frequent(self._k, self._histories[user]) for user in wanted]
        for place, (user, targets) in enumerate(wanted.items()):
            for target in targets:
                report.users.append(user)
                report.cold.append(target in self.withheld)
                report.new.append(len(self._unseen))
                for name, of_users in lists.items():
                    shown = of_users[place]
                    rank = shown.index(target) if target in shown else NOT_IN_LIST
                    report.ranks.setdefault(name, []).append(rank)
                # A withheld item enters no profile: that it was asked about is noted in the history kept here.
                if target in self.withheld:
                    self._histories[user].add(target)

    def _absorb(self, events: Sequence[EvaluationEvent]) -> None:
        if events:
            self._pipeline.absorb([event.record() for event in events], events[-1].at_ms)
            self._follow(events)

    def _follow(self, events: Iterable[EvaluationEvent]) -> None:
        for event in events:
            if event.taken is not None:
                self._taken.add(event.taken)
                self._unseen.discard(event.taken)
                self._histories.setdefault(event.user_id, set()).add(event.taken)
