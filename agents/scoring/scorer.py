"""Candidates → ranked lists with reasons, in whatever worker makes them."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from agents.cuts import Headers
from agents.errors import RecordError
from agents.expired import send_expired, send_stale
from agents.exposure import EXPOSURE, read_exposure
from agents.packed import CANDIDATES, Candidates
from agents.ranker import RANKER, band_weights
from agents.records import Item, ModelVersion, Recommendation, encode_json
from agents.rules import named
from agents.runtime.agent import TransactionLike
from agents.runtime.batch import Batch
from agents.runtime.metrics import Metrics
from agents.scoring.catalogue import Catalogue
from agents.scoring.lists import ListMaker, check_candidates, rank_config
from agents.scoring.models import ANNOUNCED
from agents.scoring.vector_store import VectorStore
from agents.scoring.versions import Versions
from agents.settings import Settings
from agents.topics import build_topics
from agents.variants import by_variant, with_own_weights
from models.agreement import agreement
from models.bert.contract import TextEncoder
from models.new_items import NewItems
from models.rules.rule import ShopRule
from models.second_stage import NOTHING, SecondStage

log = logging.getLogger(__name__)


class Scorer:
    """One scorer: makes the lists of each batch of candidates."""

    def __init__(
        self,
        settings: Settings,
        encoder: TextEncoder | None,
        store: VectorStore | None,
        metrics: Metrics,
        second: SecondStage | None = None,
        load: Callable[[str], SecondStage | None] | None = None,
    ) -> None:
        """`load`: a cross-encoder by its path, for those that are announced."""
        self._topics, self._metrics, self._most = build_topics(settings), metrics, settings.scorer_batch
        self.catalogue = Catalogue(encoder, store)
        config = rank_config(settings)
        self._sources = {source for source, weight in config.weights.items() if weight > 0}
        variants = {variant: rank_config(varied) for variant, varied in by_variant(settings)}
        self.new_items = NewItems(self.catalogue.index, settings.explore_impressions)
        self._maker = ListMaker(
            self.catalogue.index, config, encoder, variants, self.new_items, second, settings.cross_ms / 1000
        )
        own = "" if settings.cross_model == ANNOUNCED else settings.cross_model
        self._versions = Versions(load, own) if load is not None and settings.cross_model else None
        self._shadow: SecondStage | None = None
        self._learned_ranker = settings.learned_ranker
        self._own_weights = with_own_weights(settings)
        self._told: set[str] = set()
        """Unknown variants that were logged."""

    def follow(
        self,
        items: Iterable[tuple[bytes, Item | None]] = (),
        rules: Iterable[tuple[bytes, ShopRule | None]] = (),
        models: Sequence[tuple[bytes, ModelVersion | None]] = (),
        taken: Iterable[tuple[bytes, bool | None]] = (),
    ) -> None:
        """Take over what changed of catalogue, rules, what was learned and `neighbours`; None: deleted.

        taken: whether anybody had to do with an item.
        """
        self.catalogue.update(items)
        self._maker.rules.update(named(rules))
        self.new_items.taken((key.decode(errors="replace"), bool(has_users)) for key, has_users in taken)
        for key, model in models:
            if key == RANKER and self._learned_ranker:
                self.rank_with(model)
            elif key == EXPOSURE:
                self.new_items.use({} if model is None else read_exposure(model).counts)
        if self._versions is not None:
            self._follow_versions(self._versions, models)

    def _follow_versions(self, versions: Versions, models: Sequence[tuple[bytes, ModelVersion | None]]) -> None:
        second = self._maker.second
        versions.follow(models, "" if second is None else second.scorer.version)
        if versions.withdrawn:
            self._maker.second = None
        if (loaded := versions.next()) is not None:
            self._maker.second = loaded
            log.info("lists are read by %s from now on", loaded.scorer.version)
        if (shadow := versions.shadow()) is not None:
            self._shadow = shadow
            log.info("what is read is compared with %s from now on", shadow.scorer.version)
        if not versions.compares:
            self._shadow = None

    def compare(self) -> None:
        """Let the shadow read what was read last, once, and count how far it agrees."""
        second, shadow = self._maker.second, self._shadow
        if second is None or shadow is None or len(second.last[0]) < 2:
            return
        (pairs, chances), second.last = second.last, NOTHING
        try:
            found = shadow.scorer.chances(pairs)
        except Exception:  # whatever a model raises that no list needs
            log.exception("%s cannot read, and is compared no more", shadow.scorer.version)
            self._shadow = None
            return
        self._metrics.add("shadow_lists_total")
        self._metrics.add("shadow_agreement_total", agreement(chances, found))

    def rank_with(self, model: ModelVersion | None) -> None:
        """Rank with these learned weights from now on, if they are active; None: there are none.

        Weights of other sources than the settings weigh are not taken: they come from a learner with other settings.
        """
        learned = None if model is None else band_weights(model)
        if learned is not None and learned.of(0).keys() != self._sources:
            log.warning(
                "the learner has other sources than this scorer, which ranks with the weights of its settings: "
                "give both the same settings, PROFILESTREAM_CROSS_MODEL among them"
            )
            learned = None
        self._maker.use(learned, self._own_weights)

    def still(self) -> tuple[str, ...]:
        """What goes on beside the lists."""
        waiting = self.catalogue.waiting
        loading = () if self._versions is None else self._versions.still()
        return (*((f"embedding {waiting} items",) if waiting else ()), *loading)

    @property
    def loading(self) -> bool:
        """Whether an announced cross-encoder is on its way."""
        return self._versions is not None and self._versions.loading

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Send one list for each candidates record; one that comes too late becomes an outcome."""
        self.send_lists(list(self._in_time(batch, transaction)), transaction)

    def send_lists(
        self, wanted: Sequence[tuple[int, Candidates]], transaction: TransactionLike, headers: Headers | None = None
    ) -> list[Recommendation]:
        """Send one list for each (partition, candidates), with these headers; the lists, in order."""
        began = time.perf_counter()
        self._tell_unknown([candidates.variant for _, candidates in wanted])
        # A full batch is a backlog: what waits behind it would wait longer for each list that is read.
        lists = self._maker.make(
            [candidates for _, candidates in wanted], transaction.now_ms / 1000, read=len(wanted) < self._most
        )
        for (partition, candidates), recommendation in zip(wanted, lists, strict=True):
            key, value = candidates.user_id.encode(), encode_json(recommendation)
            transaction.send(self._topics.recommendations.name, partition, key, value, headers)
        for degraded, count in Counter(one.degraded for one in lists).items():
            self._metrics.add("lists_total", count, degraded=str(degraded).lower())
        self._metrics.add("pairs_scored_total", sum(one.cross_scored for one in lists))
        self._metrics.observe("score_seconds", time.perf_counter() - began)
        return lists

    def _tell_unknown(self, variants: Sequence[str]) -> None:
        """Count lists of variants that this worker's settings do not name, and log each such variant once."""
        for variant in variants:
            if self._maker.knows(variant):
                continue
            self._metrics.add("unknown_variants_total")
            if variant not in self._told:
                self._told.add(variant)
                log.warning(
                    "lists of variant %s are ranked as the default: PROFILESTREAM_VARIANTS does not name it here",
                    variant,
                )

    def _in_time(self, batch: Batch, transaction: TransactionLike) -> Iterator[tuple[int, Candidates]]:
        for partition, records in batch.of(self._topics.candidates.name):
            for record in records:
                try:
                    candidates = CANDIDATES.read(record.value or b"")
                    check_candidates(candidates)
                except RecordError as exc:
                    transaction.dead_letter(record, exc)
                    continue
                if candidates.deadline_ms and transaction.now_ms > candidates.deadline_ms:
                    self._send_late(candidates, partition, transaction)
                    continue
                yield partition, candidates

    def _send_late(self, candidates: Candidates, partition: int, transaction: TransactionLike) -> None:
        to = (transaction, self._topics.outcomes.name, partition, candidates.user_id)
        name, request_id = candidates.recommendation_id, candidates.request_id
        if name.startswith(f"{self._topics.events.name}-{partition}-"):
            send_stale(*to, candidates.triggers, candidates.variant)
        else:
            send_expired(*to, name, request_id, candidates.variant)
