"""Candidates in, recommendations out: the edge between the records and `models.ranked_list`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.errors import RecordError
from agents.packed import Candidates, unpack_floats, unpack_ints
from agents.records import MOST_LIST_ITEMS, RankedItem, Recommendation
from agents.settings import Settings
from models.bert.contract import TextEncoder
from models.candidates import SOURCES, USER_CF
from models.experiment import DEFAULT
from models.explored_lists import explore_lists
from models.history import END
from models.item_index import ItemIndex
from models.new_items import NewItems
from models.pool import CONTENT, RULE, ListInput
from models.ranked_list import RankConfig, Ranked, rank_lists
from models.ranking import BandWeights
from models.reasons import Grounds, reason
from models.rules.item_rules import ItemRules
from models.second_stage import BERT, SecondStage, newest_items

ENOUGH_EMBEDDED = 0.99
"""Share of the catalogue that must have a vector: with less, content would favour what happens to have one."""
QUERIES_KEPT = 10_000
"""Vectors of searches kept in memory (15 MB for MiniLM)."""
SCORE_DIGITS = 6
RATING_DIGITS = 2

FROM_HISTORY = frozenset({"item_cf", "ridge"})
"""Sources for which an item of the history can speak."""
ACTIONS = {"b": "bought", "r": "rated", "k": "liked", "s": "shared", "c": "chose", "m": "chose", "l": "looked at"}
"""What is said of the letters of `Candidates.actions`; of others nothing."""

FIXED = "fixed"
"""The ranker of a list: the weights of the settings."""
NO_MODEL = "no model"
NO_TEXTS = "no item texts"
NOT_EMBEDDED = "embeddings not ready"
NO_TIME = "no time"
"""The cross-encoder did not get to all candidates that it was to read."""
AFTER_S, AFTER_EACH_S = 0.03, 0.0005
"""What a batch, and each of its lists, takes after the second stage, until lists can be read."""


def rank_config(settings: Settings) -> RankConfig:
    """The settings that ranking needs."""
    sources = (*SOURCES, USER_CF, CONTENT, *([BERT] if settings.cross_model else []))
    return RankConfig(
        weights={source: getattr(settings, f"weight_{source}") for source in sources},
        candidates_content=settings.candidates_content,
        diversity=settings.diversity,
        category_cap=settings.category_cap,
        after_pause={"popular": settings.pause_popular, "ridge": settings.pause_ridge},
        calibration=settings.calibration,
        explore_slots=settings.explore_slots,
    )


def check_candidates(candidates: Candidates) -> None:
    """Raise `RecordError` (`bad_packed`) if the arrays of a record do not fit each other."""
    try:
        scores, because = unpack_floats(candidates.scores), unpack_ints(candidates.because)
        ratings = unpack_floats(candidates.ratings)
    except (ValueError, IndexError, KeyError) as exc:
        raise RecordError("bad_packed", f"Candidates: {exc}") from exc
    if len(scores) != len(candidates.sources) * len(candidates.items) or len(because) != len(candidates.items):
        raise RecordError("bad_packed", "Candidates: scores or because do not fit the items")
    if len(because) and not -1 <= int(because.min()) <= int(because.max()) < len(candidates.recent):
        raise RecordError("bad_packed", "Candidates: because points outside recent")
    if candidates.items and not candidates.sources:
        raise RecordError("bad_packed", "Candidates: items without sources")
    if not 1 <= candidates.k <= MOST_LIST_ITEMS:
        raise RecordError("bad_packed", f"Candidates: k is not between 1 and {MOST_LIST_ITEMS}")
    if candidates.history[:1] != END or candidates.history[-1:] != END:
        raise RecordError("bad_packed", "Candidates: history is not a sequence of ids")
    if len(ratings) not in {0, len(candidates.items)}:
        raise RecordError("bad_packed", "Candidates: ratings do not fit the items")
    if not (np.isfinite(scores).all() and np.isfinite(ratings).all()):
        raise RecordError("bad_packed", "Candidates: a score or rating is not a number")


class _Made(NamedTuple):
    """A list, and how many candidates the second stage was to read and read."""

    places: list[Ranked]
    asked: int
    scored: int


class ListMaker:
    """Makes the lists of a batch; keeps the vectors of recent searches."""

    def __init__(
        self,
        index: ItemIndex,
        config: RankConfig,
        encoder: TextEncoder | None,
        variants: Mapping[str, RankConfig] | None = None,
        new_items: NewItems | None = None,
        second: SecondStage | None = None,
        second_s: float = np.inf,
    ) -> None:
        """`variants`: how lists of variants are ranked; those of all others are ranked by `config`.

        `new_items`: those of the index, which places for exploring show; None: they show others. `second`: reads the
        best candidates of each list, for at most `second_s` seconds of a batch.
        """
        self._index = index
        self._configs = {**(variants or {}), DEFAULT: config}
        self._encoder = encoder
        self._new = new_items
        self.second, self._second_s = second, second_s
        self._queries: dict[str, NDArray[np.float32]] = {}
        self.rules = ItemRules(index)
        """The shop's rules, as of the last batch."""

    def use(self, learned: BandWeights | None, but: Collection[str] = ()) -> None:
        """Rank with these weights from now on; None, and for the variants `but`: with those of the settings."""
        self._configs = {
            variant: replace(config, learned=None if variant in but else learned)
            for variant, config in self._configs.items()
        }

    def make(self, batch: Sequence[Candidates], now_s: float, read: bool = True) -> list[Recommendation]:
        """One list for each, in order. `check_candidates` has passed those that were read from a topic.

        `read`: there is time for the second stage.

        A list whose variant is not known here is made, and marked, as one of the default.
        """
        batch = [one if self.knows(one.variant) else msgspec.structs.replace(one, variant=DEFAULT) for one in batch]
        self.rules.refresh(now_s)
        left_out = self._left_out()
        content = not left_out
        queries = self._query_vectors(batch) if content else {}
        inputs = [_input(one, queries.get(one.query)) for one in batch]
        if self._new is not None and self._explores:
            self._new.refresh()
        ranked = self._ranked(batch, inputs, content, self._time(batch, now_s) if read else 0.0)
        model = self._encoder.version if self._encoder and content else None
        return [
            self._recommendation(one, made, now_s, model, left_out) for one, made in zip(batch, ranked, strict=True)
        ]

    def _time(self, batch: Sequence[Candidates], now_s: float) -> float:
        """Seconds that the second stage has for a batch: all its lists can be read when the last is done."""
        after = AFTER_S + AFTER_EACH_S * len(batch)
        left = [one.deadline_ms / 1000 - now_s - after for one in batch if one.deadline_ms]
        return max(0.0, min([self._second_s, *left]))

    def knows(self, variant: str) -> bool:
        """Whether lists of this variant are ranked as the variant wants."""
        return variant in self._configs

    @property
    def _explores(self) -> bool:
        return any(config.explore_slots for config in self._configs.values())

    def _ranked(
        self, batch: Sequence[Candidates], inputs: Sequence[ListInput], content: bool, seconds: float
    ) -> Iterator[_Made]:
        """The places of each list, in order; those of a variant are ranked together.

        `seconds`: what the second stage has. Variants share it by their lists, so that an experiment is fair.
        """
        ranked: dict[str, Iterator[_Made]] = {}
        ends, left = (self.second.clock() if self.second is not None else 0.0) + seconds, len(batch)
        for variant in dict.fromkeys(one.variant for one in batch):
            config, (of_variant, names) = self._configs[variant], _of(variant, batch, inputs)
            if self.second is not None:
                now = self.second.clock()
                self.second.until = now + (ends - now) * len(of_variant) / left
            left -= len(of_variant)
            lists = rank_lists(of_variant, self._index, config, content, self.rules, self.second)
            read = self._read(config, len(of_variant))
            if self._new is not None:
                lists = explore_lists(of_variant, lists, names, self._index, self._new, config, content, self.rules)
            ranked[variant] = map(_Made, lists, *read)
        return (next(ranked[one.variant]) for one in batch)

    def _read(self, config: RankConfig, count: int) -> tuple[Sequence[int], Sequence[int]]:
        """Of each list that was ranked last: candidates that the second stage was to read, and that it read."""
        if self.second is None or not config.reads:
            return [0] * count, [0] * count
        return self.second.asked, self.second.scored

    def _left_out(self) -> str:
        if self._encoder is None:
            return NO_MODEL
        if self._index.embedded_share < ENOUGH_EMBEDDED:
            return NOT_EMBEDDED
        return "" if self._index.embedded_count else NO_TEXTS

    def _query_vectors(self, batch: Sequence[Candidates]) -> Mapping[str, NDArray[np.float32]]:
        new = list(dict.fromkeys(one.query for one in batch if one.query and one.query not in self._queries))
        if new and self._encoder:
            if len(self._queries) + len(new) > QUERIES_KEPT:
                self._queries.clear()
            self._queries.update(zip(new, self._encoder.encode(new), strict=True))
        return self._queries

    def _recommendation(
        self, one: Candidates, made: _Made, now_s: float, model: str | None, left_out: str
    ) -> Recommendation:
        late = made.scored < made.asked
        ratings = dict(zip(one.items, unpack_floats(one.ratings).tolist(), strict=False))
        return Recommendation(
            recommendation_id=one.recommendation_id,
            user_id=one.user_id,
            items=[self._item(one, place, ratings.get(place.item_id)) for place in made.places],
            triggers=one.triggers,
            created_at=now_s,
            request_id=one.request_id,
            degraded=late or left_out == NOT_EMBEDDED,
            degraded_reason=NO_TIME if late and left_out != NOT_EMBEDDED else left_out,
            model=model,
            variant=one.variant,
            asked_at=one.asked_ms / 1000,
            ranker=learned.version if (learned := self._configs[one.variant].learned) else FIXED,
            cross_model=self.second.scorer.version if self.second is not None and made.scored else None,
            cross_scored=made.scored,
            recent=newest_items(one.recent, one.context_item),
        )

    def _item(self, one: Candidates, place: Ranked, rating: float | None) -> RankedItem:
        because, title, action = None, None, ""
        if place.because >= 0 and not FROM_HISTORY.isdisjoint(place.shares):
            because = one.recent[place.because]
            title = self._index.title(because)
            action = ACTIONS.get(one.actions[place.because : place.because + 1], "")
        grounds = Grounds(title, action, self._category(one, place), one.query if place.searched else "")
        return RankedItem(
            item_id=place.item_id,
            score=round(place.score, SCORE_DIGITS),
            reason=reason(RULE if place.pinned else place.lead, grounds),
            because=because,
            title=self._index.title(place.item_id),
            sources=place.shares,
            features=place.features,
            rating=msgspec.UNSET if rating is None else round(rating, RATING_DIGITS),
        )

    def _category(self, one: Candidates, place: Ranked) -> str:
        """A category of the item: for an interest one that the user has touched lately, for others the first."""
        wanted = place.categories
        if place.lead == "interest" and wanted:
            at = self._index.places(one.recent)
            touched = set(self._index.categories[at[at >= 0]].ravel().tolist())
            wanted = [number for number in wanted if number in touched]
        return self._index.category_name(wanted[0]) if wanted else ""


def _of(variant: str, batch: Sequence[Candidates], inputs: Sequence[ListInput]) -> tuple[list[ListInput], list[str]]:
    """What is known of the lists of a variant, and their ids."""
    places = [place for place, one in enumerate(batch) if one.variant == variant]
    return [inputs[place] for place in places], [batch[place].recommendation_id for place in places]


def _input(one: Candidates, query: NDArray[np.float32] | None) -> ListInput:
    context = {one.context_item} if one.context_item else set()
    return ListInput(
        k=one.k,
        items=one.items,
        sources=one.sources,
        scores=unpack_floats(one.scores).reshape(len(one.sources), len(one.items)),
        because=unpack_ints(one.because),
        recent=one.recent,
        out=frozenset(one.seen).union(one.filters.exclude_items, context),
        history_length=one.history_length,
        context_item=one.context_item,
        query=query,
        search=one.query,
        due=one.deadline_ms / 1000 or np.inf,
        after_pause=one.after_pause,
        categories=one.filters.categories,
        exclude_categories=one.filters.exclude_categories,
        only=one.filters.only_items,
        history=one.history,
    )
