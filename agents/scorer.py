"""The scorer worker: `candidates` → ranked lists with reasons → `recommendations`, exactly once."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NoReturn

from confluent_kafka import KafkaException

from agents.admin import check_topics
from agents.errors import RecordError
from agents.expired import send_expired, send_stale
from agents.exposure import EXPOSURE, read_exposure
from agents.packed import CANDIDATES, Candidates
from agents.ranker import RANKER, band_weights
from agents.records import Item, ModelVersion, encode_json
from agents.rules import named
from agents.runtime.absorber import Absorber, start_producer
from agents.runtime.agent import TransactionLike
from agents.runtime.batch import Batch
from agents.runtime.clients import committed_consumer
from agents.runtime.crashes import CrashRecord
from agents.runtime.fetching import EAGER, BatchReader
from agents.runtime.health import Health, HealthServer
from agents.runtime.metrics import Metrics
from agents.runtime.process import DataFolder, Ending, run_alone
from agents.runtime.refusal import refused
from agents.scoring.catalogue import Catalogue
from agents.scoring.lists import ListMaker, check_candidates, rank_config
from agents.scoring.models import ANNOUNCED, load_encoder, load_second_stage
from agents.scoring.vector_store import VectorStore
from agents.scoring.versions import Versions
from agents.scoring.views import Views, reads_models
from agents.settings import Settings
from agents.topics import app_id, build_topics
from agents.variants import by_variant, explores, with_own_weights
from models.agreement import agreement
from models.bert.contract import TextEncoder
from models.new_items import NewItems
from models.rules.rule import ShopRule
from models.second_stage import NOTHING, SecondStage

log = logging.getLogger(__name__)

NAME = "scorer"
IDLE_WAIT_S = 0.05
"""How long candidates are waited for before other work is looked at."""
VIEW_WAIT_S = 0.05
LOADING_S = 60.0
"""A start waits so long for an announced model at most; then lists go out, and it takes over when it is there."""
FETCH_WAIT_MS = 100
"""A fetch is answered as soon as there is a committed record; a shorter wait only asks more often."""


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
        began = time.perf_counter()
        wanted = list(self._in_time(batch, transaction))
        self._tell_unknown([candidates.variant for _, candidates in wanted])
        # A full batch is a backlog: what waits behind it would wait longer for each list that is read.
        lists = self._maker.make(
            [candidates for _, candidates in wanted], transaction.now_ms / 1000, read=len(wanted) < self._most
        )
        for (partition, candidates), recommendation in zip(wanted, lists, strict=True):
            key, value = candidates.user_id.encode(), encode_json(recommendation)
            transaction.send(self._topics.recommendations.name, partition, key, value)
            self._metrics.add("lists_total", degraded=str(recommendation.degraded).lower())
            self._metrics.add("pairs_scored_total", recommendation.cross_scored)
        self._metrics.observe("score_seconds", time.perf_counter() - began)

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


def run(settings: Settings) -> NoReturn:
    """Work until told to stop or an error. Does not return: the process ends with the exit code."""
    run_alone(settings, _work)


def _work(settings: Settings, ending: Ending) -> None:
    topics, group = build_topics(settings), app_id(settings, NAME)
    metrics, health = Metrics(), Health()
    if settings.http_port:
        HealthServer(settings, health, metrics)
    data = DataFolder(settings, group)  # its lock is held as long as it is kept
    folder = data.claim()
    needed = [topics.candidates, topics.items, topics.rules]
    needed += [topics.models] if reads_models(settings) else []
    needed += [topics.neighbours] if explores(settings) else []
    needed += [topics.recommendations, topics.outcomes, topics.dead_letters]
    check_topics(settings, [topic.name for topic in needed], NAME)
    encoder = load_encoder(settings)
    store = VectorStore(folder / "vectors", encoder.version, encoder.dimension) if encoder is not None else None
    second = load_second_stage(settings, settings.cross_model)
    scorer = Scorer(settings, encoder, store, metrics, second, partial(load_second_stage, settings))
    views = Views(settings)
    views.start(metrics)
    producer = start_producer(settings, group)
    while waiting := views.waiting:
        if ending.requested.wait(VIEW_WAIT_S):
            return
        health.reasons = waiting
        health.beat()
        scorer.follow(*views.drain())
    scorer.follow(*views.drain())
    loads_until = time.monotonic() + LOADING_S
    while scorer.loading and time.monotonic() < loads_until:  # the first lists are read by what was announced last
        if ending.requested.wait(VIEW_WAIT_S):
            return
        health.reasons = scorer.still()
        health.beat()
        scorer.follow(*views.drain())
    scorer.catalogue.embed_from_disk()
    consumer = committed_consumer(
        settings,
        group,
        **EAGER,
        **{"group.instance.id": settings.instance, "fetch.wait.max.ms": FETCH_WAIT_MS, "fetch.error.backoff.ms": 5},
    )
    crashes = CrashRecord(folder / "crashes.json")
    reader = BatchReader(consumer, [topics.candidates.name], lambda: metrics.add("rebalances_total"), crashes.own)
    absorber = Absorber(
        settings,
        NAME,
        producer,
        None,
        crashes,
        metrics,
        scorer.absorb,
        reader.membership,
    )
    health.still = scorer.still()
    health.reasons = ()
    log.info("scorer %s works, %s", settings.instance, encoder.version if encoder is not None else "without BERT")
    _loop(settings, ending, reader, absorber, scorer, views, health)


def _loop(
    settings: Settings,
    ending: Ending,
    reader: BatchReader,
    absorber: Absorber,
    scorer: Scorer,
    views: Views,
    health: Health,
) -> None:
    """Lists first; the catalogue's texts are embedded a slice at a time in between."""
    while not ending.requested.is_set():
        health.beat()
        scorer.follow(*views.drain())
        try:
            batch = reader.fetch(settings.scorer_batch, 0.0 if scorer.catalogue.waiting else IDLE_WAIT_S)
        except KafkaException as exc:
            raise refused(settings, "cannot read candidates", f"Read on group {app_id(settings, NAME)}", exc) from exc
        if len(batch):
            absorber.absorb(batch)
        else:
            scorer.compare()
        scorer.catalogue.embed_some()
        health.still = scorer.still()
