"""The scorer worker: `candidates` → ranked lists with reasons → `recommendations`, exactly once."""

import logging
import time
from functools import partial
from typing import NoReturn

from confluent_kafka import KafkaException

from agents.admin import check_topics
from agents.runtime.absorber import Absorber, start_producer
from agents.runtime.clients import committed_consumer
from agents.runtime.crashes import CrashRecord
from agents.runtime.fetching import EAGER, BatchReader
from agents.runtime.health import Health, HealthServer
from agents.runtime.metrics import Metrics
from agents.runtime.process import DataFolder, Ending, run_alone
from agents.runtime.refusal import refused
from agents.scoring.models import load_encoder, load_second_stage
from agents.scoring.scorer import Scorer
from agents.scoring.vector_store import VectorStore
from agents.scoring.views import Views
from agents.settings import Settings
from agents.topics import app_id, build_topics

log = logging.getLogger(__name__)

NAME = "scorer"
IDLE_WAIT_S = 0.05
"""How long candidates are waited for before other work is looked at."""
VIEW_WAIT_S = 0.05
LOADING_S = 60.0
"""A start waits so long for an announced model at most; then lists go out, and it takes over when it is there."""
FETCH_WAIT_MS = 100
"""A fetch is answered as soon as there is a committed record; a shorter wait only asks more often."""


def run(settings: Settings) -> NoReturn:
    """Work until told to stop or an error. Does not return: the process ends with the exit code."""
    run_alone(settings, _work)


def _work(settings: Settings, ending: Ending) -> None:
    topics, group = build_topics(settings), app_id(settings, NAME)
    metrics, health = Metrics(), Health()
    if settings.lists_by != "scorer":
        log.warning("profiles workers make the lists: this scorer makes those of candidates that are left")
    if settings.http_port:
        HealthServer(settings, health, metrics)
    data = DataFolder(settings, group)  # its lock is held as long as it is kept
    folder = data.claim()
    views, sent = Views(settings), (topics.recommendations, topics.outcomes, topics.dead_letters)
    read = [topics.candidates.name, *(view.topic for view in views.all)]
    check_topics(settings, [*read, *(topic.name for topic in sent)], NAME)
    encoder = load_encoder(settings)
    store = VectorStore(folder / "vectors", encoder.version, encoder.dimension) if encoder is not None else None
    second = load_second_stage(settings, settings.cross_model)
    scorer = Scorer(settings, encoder, store, metrics, second, partial(load_second_stage, settings))
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
