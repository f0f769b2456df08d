"""The learner worker: `outcomes` → weights of the ranker, counts of explored items → `models`, exactly once.

One works; the owner of the only partition of `models` in the consumer group, which then reads all of `outcomes`. Others
wait. A batch is learned from, and all that is known published, in one transaction with the offsets. Each published
record says itself what it was made of, and a new owner goes on there: also a record that an earlier owner got in last
is a state that fits its offsets, so nothing is learned or counted twice.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import NoReturn

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from agents.admin import check_topics
from agents.errors import RecordError, SetupError
from agents.exposure import BYTES_AN_ITEM, EXPOSURE, MOST_BYTES, Exposure, read_exposure, write_exposure
from agents.lookup import read_whole
from agents.ranker import RANKER, Learned, from_record, read_version, to_record
from agents.records import Choice, ModelVersion, Outcome, encode_json, read_outcome
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
from agents.scoring.lists import rank_config
from agents.settings import Settings
from agents.topics import Topic, app_id, build_topics, view_group
from models.choices import Choices, join
from models.exposure import after, counted
from models.learner import Learner
from models.ranked_list import HISTORY_LENGTH

log = logging.getLogger(__name__)

NAME = "learner"
IDLE_WAIT_S = 0.2
"""How long an outcome is waited for before the worker looks whether it should end."""
LEAST_ITEMS = 2
"""A choice among fewer says nothing."""


class LearnerAgent:
    """Learns from each batch of outcomes and publishes what it knows."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Raises `SetupError` if no source has a weight."""
        self._topics, self._errors, self._metrics = build_topics(settings), settings.learned_errors, metrics
        weights = rank_config(settings).weights
        self._blend = {source: weight for source, weight in weights.items() if weight > 0}
        if not self._blend:
            raise SetupError("there is nothing to learn from: give a source a weight (PROFILESTREAM_WEIGHT_…) above 0")
        self._learner = Learner(np.array(list(self._blend.values())), settings.learning_half_life)
        self._learned = Learned(self._learner.start(), {})
        self._exposure = Exposure()

    def restore(self, model: ModelVersion | None, exposure: ModelVersion | None = None) -> dict[int, int]:
        """Go on with what was published; None: nothing was. The first offset wanted of each partition that is known.

        Raises `SetupError` if it cannot be read.
        """
        try:
            self._exposure = Exposure() if exposure is None else read_exposure(exposure)
        except RecordError as exc:
            raise _unreadable(self._topics.models, EXPOSURE, exc) from exc
        self._learned = Learned(self._learner.start(), {})
        if model is not None:
            try:
                kept = from_record(self._learner, self._blend, model)
            except RecordError as exc:
                raise _unreadable(self._topics.models, RANKER, exc) from exc
            if kept is None:
                log.warning("sources or weights of the settings changed: learning anew from the start of the log")
            else:
                self._learned = kept
        known, counted = self._learned.offsets, self._exposure.offsets
        # Where nothing was explored there is no record: there was nothing to count.
        return {partition: min(next_, counted.get(partition, next_)) for partition, next_ in known.items()}

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Learn from the choices among these outcomes, and publish."""
        parts, shown = [], []
        offsets, counted_to = dict(self._learned.offsets), self._exposure.offsets
        # In the order of partitions, whichever came first: the same batch is then the same state.
        for partition, records in sorted(batch.of(self._topics.outcomes.name), key=lambda run: run[0]):
            for record in records:
                try:
                    outcome = read_outcome(record.value)
                    choice = choice_of(outcome, list(self._blend))
                except RecordError as exc:
                    transaction.dead_letter(record, exc)
                    continue
                if choice is not None and record.offset >= self._learned.offsets.get(partition, 0):
                    parts.append(choice)
                if record.offset >= counted_to.get(partition, 0):
                    shown.append(counted(outcome.outcome, outcome.source, outcome.item_id))
            offsets[partition] = max(records[-1].offset + 1, offsets.get(partition, 0))
        choices = join(parts, len(self._blend))
        self._learned = Learned(self._learner.learn(self._learned.state, choices), dict(sorted(offsets.items())))
        model = to_record(self._learner, self._blend, self._learned, self._errors)
        transaction.send(self._topics.models.name, 0, RANKER, encode_json(model))
        self._count(filter(None, shown), offsets, transaction)
        transaction.count("choices_learned_total", len(choices))
        self.show(model)

    def _count(self, shown: Iterable[tuple[str, bool]], offsets: dict[int, int], transaction: TransactionLike) -> None:
        """Publish what came of exploring; nothing as long as nothing was explored."""
        counts = after(self._exposure.counts, shown, MOST_BYTES, BYTES_AN_ITEM)
        if counts:
            to = dict(self._exposure.offsets)  # a learner that began anew may not have come to all of them yet
            for partition, next_ in offsets.items():
                to[partition] = max(next_, to.get(partition, 0))
            self._exposure = Exposure(counts, dict(sorted(to.items())))
            transaction.send(self._topics.models.name, 0, EXPOSURE, encode_json(write_exposure(self._exposure)))

    def show(self, model: ModelVersion) -> None:
        """Put the verdict into the metrics."""
        self._metrics.set("ranker_active", model.active)
        self._metrics.set("ranker_gain", model.gain)
        self._metrics.set("ranker_gain_error", np.inf if model.gain_error is None else model.gain_error)


def choice_of(outcome: Outcome, sources: Sequence[str]) -> Choices | None:
    """The choice in an outcome; None: there is none. Raises `RecordError` (`bad_field`) if it is not whole."""
    choice = outcome.choice
    if choice is None:
        return None
    check_choice(choice, outcome.position)
    count = len(choice.positions)
    if count < LEAST_ITEMS:
        return None
    silent = [0.0] * count
    scores = np.array([choice.features.get(source, silent) for source in sources], np.float64).T
    length = choice.features.get(HISTORY_LENGTH, silent)[0]
    return Choices(
        scores.clip(0.0, 1.0),
        np.array(choice.positions, np.int64),
        np.zeros(1, np.int64),
        np.array([choice.positions.index(outcome.position or 0)], np.int64),
        np.array([min(max(length, 0.0), float(2**31))]).astype(np.int64),
    )


def check_choice(choice: Choice, position: int | None) -> None:
    """Raise `RecordError` (`bad_field`) if the parts of a choice do not fit each other."""
    if position not in choice.positions or len(set(choice.positions)) != len(choice.positions):
        raise RecordError("bad_field", "choice: positions must differ, and the outcome's be among them")
    if any(len(values) != len(choice.positions) for values in choice.features.values()):
        raise RecordError("bad_field", "choice: every feature needs a value for each position")


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
    check_topics(settings, [topics.outcomes.name, topics.models.name, topics.dead_letters.name], NAME)
    learner = LearnerAgent(settings, metrics)
    producer = start_producer(settings, group)
    consumer = committed_consumer(settings, group, **EAGER, **{"group.instance.id": settings.instance})
    crashes = CrashRecord(folder / "crashes.json")

    def take_over(given: list[TopicPartition]) -> list[TopicPartition]:
        """The owner of `models` reads `outcomes`, from where the newest state ends."""
        if not given:
            log.info("learner %s waits: another one works", settings.instance)
            return []
        offsets = learner.restore(*newest_models(settings, topics.models))
        log.info("learner %s learns from %s", settings.instance, topics.outcomes.name)
        return [
            TopicPartition(topics.outcomes.name, partition, offsets.get(partition, OFFSET_BEGINNING))
            for partition in range(topics.outcomes.partitions)
        ]

    reader = BatchReader(
        consumer, [topics.models.name], lambda: metrics.add("rebalances_total"), crashes.own, take_over
    )
    absorber = Absorber(settings, NAME, producer, None, crashes, metrics, learner.absorb, reader.membership)
    health.reasons = ()
    log.info("learner %s works", settings.instance)
    while not ending.requested.is_set():
        health.beat()
        try:
            batch = reader.fetch(settings.max_batch_records, IDLE_WAIT_S)
        except KafkaException as exc:
            right = f"Read on group {group}, Read on topic {topics.outcomes.name}"
            raise refused(settings, "cannot read outcomes", right, exc) from exc
        if not len(batch):
            continue
        absorber.absorb(batch)
        if len(batch) < settings.max_batch_records:  # what comes meanwhile waits in the log, and is one batch
            ending.requested.wait(settings.learn_every_s)


def newest_models(settings: Settings, topic: Topic) -> tuple[ModelVersion | None, ModelVersion | None]:
    """The newest committed ranker and exposure in `models`; None: there is none. Raises `BrokerError`, `SetupError`."""
    newest: dict[bytes | None, bytes | None] = {}
    for record in read_whole(settings, topic, 0, group=view_group(settings)):
        newest[record.key] = record.value
    return _read(topic, RANKER, newest.get(RANKER)), _read(topic, EXPOSURE, newest.get(EXPOSURE))


def _read(topic: Topic, key: bytes, value: bytes | None) -> ModelVersion | None:
    try:
        return None if value is None else read_version(key, value)
    except RecordError as exc:
        raise _unreadable(topic, key, exc) from exc


def _unreadable(topic: Topic, key: bytes, error: RecordError) -> SetupError:
    return SetupError(
        f"the {key.decode()} in topic {topic.name} cannot be read: {error}\n  Upgrade this worker; or send nulls with "
        f"the keys {RANKER.decode()} and {EXPOSURE.decode()} there: then all is learned anew from the outcomes kept"
    )
