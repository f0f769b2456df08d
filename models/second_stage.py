"""The second stage: a model that reads the profile together with each of a list's best candidates, as time allows.

The blend of all sources orders hundreds of candidates in microseconds; a cross-encoder takes milliseconds for each. So
it gets the best of the blend, the lists that are due first, and only what it can do in time; what it says is one more
source of the blend. Candidates it did not see keep the blend's order below.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

import numpy as np

from models.drafts import Draft
from models.item_index import Floats, ItemIndex
from models.pair_texts import NEWEST, item_text, profile_text
from models.speed import Speed

BERT = "bert"
"""The source's name."""
Pair = tuple[str, str]

UNITS_AT_ONCE = 10_000
"""Letters that are scored between two looks at the clock, some 2,500 tokens."""
LETTERS_READ = 2_000
"""A model cuts what is longer."""
OVERHEAD = 20
"""Letters whose time a pair takes besides its own."""


NOTHING: tuple[list[Pair], Floats] = ([], np.zeros(0, np.float32))


class PairScorer(Protocol):
    """A model that says how likely users are to take items."""

    version: str

    def chances(self, pairs: Sequence[Pair]) -> Floats:
        """The chance of each pair (profile text, item text), float32 [n] within [0, 1]."""
        ...


class _Reading(NamedTuple):
    """What is to be read for one list."""

    number: int
    places: list[int]
    """In the pool, best first."""
    pairs: list[Pair]
    due: float


class SecondStage:
    """Scores pairs of the lists of one batch after the other."""

    def __init__(self, scorer: PairScorer, most: int, clock: Callable[[], float]) -> None:
        """`most`: candidates of a list that are read; `clock`: seconds, as `until`."""
        self.scorer, self.most, self.clock = scorer, most, clock
        self.until = np.inf
        """When the next reading must be done."""
        self.speed = Speed()
        """Of letters."""
        self.asked: list[int] = []
        self.scored: list[int] = []
        """Of each list of the last call: candidates that were to be read, and that were."""
        self.last = NOTHING
        """The pairs of the list that was read last, and their chances."""

    def warm_up(self, pair: Pair, count: int = 32) -> None:
        """Find out the speed, before lists wait for it."""
        for _ in range(2):  # the first call of a model is slow
            began = self.clock()
            self.scorer.chances([pair] * count)
            self.speed = Speed()
            self.speed.add(count * units_of(pair), self.clock() - began)

    def read(self, drafts: Sequence[Draft], best: Sequence[Sequence[int]], index: ItemIndex) -> None:
        """Give drafts the source `BERT`. `best`: of each draft, places in its pool, best first."""
        readings = [
            _reading(number, draft, places, index)
            for number, (draft, places) in enumerate(zip(drafts, best, strict=True))
        ]
        self.asked = [len(one.places) for one in readings]
        self.scored = [0] * len(drafts)
        waiting = sorted((one for one in readings if one.places), key=lambda one: one.due)
        at = 0
        while at < len(waiting):
            part = self._in_time(waiting[at:])
            at += max(1, len(part))
            if part:
                self._score(part, drafts)

    def _in_time(self, waiting: Sequence[_Reading]) -> list[_Reading]:
        """What is scored together: the first lists, each as far as there is time for it. None: the first has none."""
        now, units = self.clock(), 0
        part: list[_Reading] = []
        for one in waiting:
            ends = list(accumulate(map(units_of, one.pairs), initial=units))[1:]
            count = sum(now + self.speed.seconds(end) <= self.until for end in ends)
            if part and (count < len(ends) or ends[-1] > UNITS_AT_ONCE):
                break  # by then the clock knows better
            if not count:
                break
            part.append(one._replace(places=one.places[:count], pairs=one.pairs[:count]))
            units = ends[count - 1]
        return part

    def _score(self, part: Sequence[_Reading], drafts: Sequence[Draft]) -> None:
        pairs = [pair for one in part for pair in one.pairs]
        began = self.clock()
        chances = self.scorer.chances(pairs)
        self.speed.add(sum(map(units_of, pairs)), self.clock() - began)
        ends = np.cumsum([len(one.pairs) for one in part])
        for one, found in zip(part, np.split(chances, ends[:-1]), strict=True):
            row = np.zeros(len(drafts[one.number].pool.ids), np.float32)
            row[one.places] = found
            drafts[one.number].add_source(BERT, row)
            self.scored[one.number] = len(one.places)
            self.last = one.pairs, found


def newest_items(recent: Sequence[str], context_item: str) -> list[str]:
    """Items whose titles make the profile text, the newest first; what is on the page counts as the newest."""
    return [*([context_item] if context_item and context_item not in recent[:1] else []), *recent][:NEWEST]


def units_of(pair: Pair) -> int:
    """What a pair costs: its letters, as far as a model reads them, and what every pair costs."""
    return min(len(pair[0]) + len(pair[1]), LETTERS_READ) + OVERHEAD


def _reading(number: int, draft: Draft, places: Sequence[int], index: ItemIndex) -> _Reading:
    """The pairs of one list; none if there is no title that speaks of the user."""
    one, pool = draft.one, draft.pool
    titles = [title for item in newest_items(one.recent, one.context_item) if (title := index.own_title(item))]
    if one.search:
        titles.insert(0, one.search)
    if not titles:
        return _Reading(number, [], [], one.due)
    profile = profile_text(titles)
    told = [(place, title) for place in places if (title := item_text(index.own_title(pool.ids[place])))]
    return _Reading(number, [place for place, _ in told], [(profile, title) for _, title in told], one.due)
