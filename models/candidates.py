"""Candidates for a batch of users: item-CF sums, popular, popular in a segment and by interest, fresh, user CF.

Item-CF of user u for item j: `Σ_k recency(k) · w(i_k, j)` over u's newest items i_k, a sparse product at a cost
that does not grow with the number of items.
Ridge proposes nothing; it scores what the others propose: `Σ_k recency(k) · W[i_k, j]`, see `models.ridge`.

To ridge, items of one basket, touched in the same second, weigh the mean of their recencies, since their order may say
nothing; item-CF makes the best of it. After a pause the newest items weigh little more than older ones, for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.cooccurrence import Ints
from models.expected_ratings import expected_ratings
from models.kernels import NO_MASK, all_scores, by_basket, first_shown
from models.neighbour_table import NeighbourTable
from models.popular import PopularLists, Ranked
from models.proposals import best_first, merged
from models.user_cf import NO_STRENGTHS, ActiveUsers, Strengths

SOURCES = ("item_cf", "ridge", "popular", "segment", "interest", "fresh")
"""First rows of `Selected.scores`, of which `all_scores` makes three; user CF's, if it proposes too, are the last."""
USER_CF = "user_cf"
_SEGMENT, _INTEREST, _FRESH, _BY_USERS = range(SOURCES.index("segment"), len(SOURCES) + 1)
_NOTHING, _NO_SCORES = np.zeros(0, np.int64), np.zeros(0)
INTERESTS_USED = 5
GROUNDED = 50
"""For so many candidates, the strongest by item-CF, it is found out which item of the history spoke for them."""


@dataclass(frozen=True)
class CandidateConfig:
    """How many candidates each source proposes, and how the newest items weigh."""

    item_cf: int = 100
    popular: int = 50
    segment: int = 20
    interest: int = 20
    fresh: int = 10
    user_cf: int = 0
    recency_power: float = 1.0
    ridge_recency_power: float = 0.5
    pause_recency_power: float = 0.2


@dataclass(frozen=True)
class Wanted:
    """One user's side: what is needed to propose items."""

    recent: Ints
    """Numbers of the newest items, newest first."""
    times: Ints
    """When each was touched last: items of the same second are one basket, whose order says nothing."""
    hidden: Ints
    """Numbers of items that must not be proposed: seen, disliked, unavailable, filtered."""
    segment: str = ""
    interests: Sequence[tuple[str, float]] = ()
    """Words with weights, strongest first."""
    only: NDArray[np.bool_] | None = None
    """Mask of the items that a request's filters allow; None: all."""
    after_pause: bool = False
    """The user was away for long: what comes next is not what the last basket lacked."""
    without_profile: bool = False
    """Fresh items are those of the whole catalogue: there may be no interests, and none are learnt."""
    user: bytes = b""
    """Who it is among the active users."""
    strengths: Strengths | None = None
    """For user CF; None: the user has none, or wants none of it."""
    ratings: NDArray[np.float32] | None = None
    """Of the items of `recent`, NaN: none; None: the user rated none of them."""


@dataclass(frozen=True)
class Selected:
    """The candidates of one user.

    items: numbers [C]; scores: raw, float32 [sources × C]; because: places in `Wanted.recent`, or −1 [C]; ratings: the
    ratings that are expected of the user, float32 [C]; None: of one who rates nothing.
    """

    items: Ints
    scores: NDArray[np.float32]
    because: Ints
    ratings: NDArray[np.float32] | None = None


@dataclass
class _Scratch:
    """Arrays over all items that are kept between lists, so that a list costs nothing per item."""

    unavailable: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    hidden: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """… and those that the user at work must not see."""
    sums: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    slots: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    def grow(self, size: int) -> None:
        more = 2 * size - len(self.slots)
        if len(self.slots) < size:
            self.unavailable = np.concatenate([self.unavailable, np.zeros(more, np.bool_)])
            self.hidden = self.unavailable.copy()
            self.sums = np.zeros(2 * size, np.float32)
            self.slots = np.zeros(2 * size, np.int32)


class CandidateSelector:
    """Proposes candidates from the newest neighbours and popularity."""

    def __init__(
        self, table: NeighbourTable, popular: PopularLists, config: CandidateConfig, active: ActiveUsers | None = None
    ) -> None:
        """`active`: for user CF, without which none is proposed."""
        self._table, self._popular, self._config = table, popular, config
        self._active = active if config.user_cf else None
        self.sources = SOURCES if self._active is None else (*SOURCES, USER_CF)
        """Of the rows of `Selected.scores`."""
        self._scratch = _Scratch()
        self._recencies: dict[float, NDArray[np.float32]] = {}
        """Power → weights of places, the newest first."""
        self._grow()
        # Compiles, or loads, what the first list must not wait for.
        self._one(Wanted(_NOTHING, _NOTHING, _NOTHING, without_profile=True))

    def hide(self, unavailable: Ints) -> None:
        """Propose none of these items to anyone from now on, and all others again."""
        self._scratch.grow(len(self._table.items))
        self._scratch.unavailable[:] = False
        self._scratch.unavailable[unavailable] = True
        self._scratch.hidden[:] = self._scratch.unavailable

    def select(self, users: Sequence[Wanted]) -> list[Selected]:
        """Candidates of each user, item-CF first (strongest first), then the other sources."""
        self._grow()
        if self._active is None:
            return [self._one(user) for user in users]
        asked = [(one.user, one.strengths or NO_STRENGTHS) for one in users]
        return [self._one(*both) for both in zip(users, self._active.scores(asked), strict=True)]

    def _grow(self) -> None:
        """Room for every known item: what is compiled does not look where an array ends."""
        self._table.grow()
        self._scratch.grow(max(len(self._table.items), 1))

    def _recency(self, user: Wanted, power: float) -> NDArray[np.float32]:
        """How much each item of `recent` weighs; `power`: of who asks while at it."""
        power = self._config.pause_recency_power if user.after_pause else power
        count, known = len(user.recent), self._recencies.get(power)
        if known is None or count > len(known):
            known = self._recencies[power] = ((np.arange(2 * count) + 1.0) ** -power).astype(np.float32)
        return known[:count]

    def _one(self, user: Wanted, by_users: Ranked | None = None) -> Selected:
        scratch, table, popular, config = self._scratch, self._table, self._popular, self._config
        scratch.hidden[user.hidden] = True
        rows, others, values = self._others(user, by_users)
        recent = np.ascontiguousarray(user.recent)
        items, scores, because = all_scores(
            recent,
            self._recency(user, config.recency_power),
            by_basket(self._recency(user, config.ridge_recency_power), np.ascontiguousarray(user.times)),
            table.cols,
            table.weights,
            table.ridge,
            scratch.hidden,
            NO_MASK if user.only is None else user.only,
            config.item_cf,
            GROUNDED,
            popular.overall()[0],
            config.popular,
            popular.popularity,
            others,
            values,
            rows,
            len(self.sources),
            scratch.sums,
            scratch.slots,
        )
        scratch.hidden[user.hidden] = scratch.unavailable[user.hidden]
        ratings = None if user.ratings is None else self.rate(items, recent, user.ratings)
        return Selected(items, scores, because, ratings)

    def rate(self, items: Ints, recent: Ints, given: NDArray[np.float32]) -> NDArray[np.float32]:
        """The ratings that are expected for items; given: those of the user for `recent`, NaN: none. One is there."""
        self._grow()
        table = self._table
        return expected_ratings(items, recent, given, table.ratings, table.cols, table.weights, self._scratch.slots)

    def _others(self, user: Wanted, by_users: Ranked | None) -> tuple[Ints, Ints, NDArray[np.float64]]:
        """What segment, interest, fresh and user CF propose, in this order: row in `SOURCES`, number and score."""
        config, popular, interests = self._config, self._popular, user.interests[:INTERESTS_USED]
        ranked: list[tuple[int, Ranked]] = []
        if user.segment:
            ranked.append((_SEGMENT, self._shown(user, popular.in_segment(user.segment), config.segment)))
        if interests:
            by_word = [
                (numbers, weight * scores / scores.max())
                for word, weight in interests
                if len((found := self._shown(user, popular.with_word(word), config.interest))[0])
                for numbers, scores in (found,)
                if scores.max() > 0
            ]
            ranked.append((_INTEREST, merged(by_word, config.interest)))
        newest = [popular.fresh_of_all()] if user.without_profile else [popular.fresh(word) for word, _ in interests]
        if newest:
            ranked.append((_FRESH, merged([self._shown(user, one, config.fresh) for one in newest], config.fresh)))
        if by_users is not None:
            ranked.append((_BY_USERS, self._shown(user, best_first(by_users), config.user_cf)))
        if not ranked:
            return _NOTHING, _NOTHING, _NO_SCORES
        return (
            np.concatenate([np.full(len(numbers), row) for row, (numbers, _) in ranked]),
            np.concatenate([numbers for _, (numbers, _) in ranked]),
            np.concatenate([np.asarray(scores, np.float64) for _, (_, scores) in ranked]),
        )

    def _shown(self, user: Wanted, ranked: Ranked, most: int) -> Ranked:
        """The best `most` of a ranked list that this user may see."""
        numbers, scores = ranked
        places = first_shown(numbers, most, self._scratch.hidden, NO_MASK if user.only is None else user.only)
        return numbers[places], scores[places]
