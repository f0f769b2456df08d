"""The learner on a real Kafka: what it publishes is a plain replay of the outcomes, whatever happens to it."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from faust.types import TP

from agents.admin import create_topics
from agents.evaluation.memory import MemoryLog, MemoryTable, MemoryTransaction
from agents.learner import LearnerAgent
from agents.packed import CANDIDATES, RANKER_STATE
from agents.ranker import RANKER, read_version
from agents.records import ModelVersion, encode_json
from agents.runtime.batch import Batch, Record
from agents.runtime.metrics import Metrics
from agents.runtime.reading import ReadRecord
from agents.settings import Settings
from agents.topics import Topics, build_topics
from tests.agents.learner_support import WANTED, keyed, outcomes
from tests.agents.scorer_support import make_candidates
from tests.broker.support import Cluster, Supervised, broker_settings, cluster, drained, read_all, send

pytestmark = pytest.mark.broker


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(
        kafka, unique, tmp_path / "data", learn_every_s=0.1, max_batch_records=300, user_partitions=2, diversity=0.0
    )
    create_topics(made)
    return made


@pytest.fixture
def topics(settings: Settings) -> Topics:
    return build_topics(settings)


def published(settings: Settings, topics: Topics) -> list[ModelVersion]:
    """Every ranker that was published, in order."""
    records = read_all(settings, topics.models.name)
    assert {record.key for record in records} <= {RANKER}
    return [read_version(RANKER, record.value or b"") for record in records]


def learned(settings: Settings, topics: Topics, count: int) -> bool:
    found = published(settings, topics)
    return bool(found) and int(found[-1].version) >= count


def replayed(settings: Settings, topics: Topics, models: list[ModelVersion]) -> list[bytes]:
    """What an agent publishes that gets the same outcomes in the same batches, without a broker and without a stop."""
    by_partition: dict[int, list[ReadRecord]] = {}
    for record in read_all(settings, topics.outcomes.name):
        by_partition.setdefault(record.partition, []).append(record)
    agent, log, before = LearnerAgent(settings, Metrics()), MemoryLog(), dict[int, int]()
    for model in models:
        offsets = RANKER_STATE.read(model.state).offsets
        batch: dict[TP, Sequence[Record]] = {}
        for partition, end in offsets.items():
            begin = before.get(partition, 0)
            if taken := [record for record in by_partition[partition] if begin <= record.offset < end]:
                batch[TP(topics.outcomes.name, partition)] = taken
        agent.absorb(Batch(batch), MemoryTransaction(log, MemoryTable()))
        before = offsets
    ((_, records),) = log.take(topics.models.name).of(topics.models.name)
    return [record.value or b"" for record in records]


def check_each_outcome_counts_once(settings: Settings, topics: Topics, count: int) -> list[ModelVersion]:
    models = published(settings, topics)
    assert [encode_json(model) for model in models] == replayed(settings, topics, models)
    assert int(models[-1].version) == count
    ends = dict.fromkeys(range(topics.outcomes.partitions), 0)
    for record in read_all(settings, topics.outcomes.name):
        ends[record.partition] = record.offset + 1
    assert RANKER_STATE.read(models[-1].state).offsets == ends
    return models


def wait_until_done(workers: Cluster, topics: Topics) -> None:
    settings = workers.settings
    workers.wait_until(lambda: drained(settings, "learner", topics.outcomes), "the last outcome", 120)


def test_a_killed_learner_learns_from_each_outcome_once(settings: Settings, topics: Topics, tmp_path: Path) -> None:
    count, chunk = 4_000, 1_000
    with cluster(settings, tmp_path) as workers:
        learner = workers.start("learner")
        for first in range(0, count, chunk):
            send(settings, topics.outcomes, keyed(outcomes(chunk, first, first)))
            workers.wait_until(lambda at=first: learned(settings, topics, at + 100), f"choice {first + 100}")  # type: ignore[misc]
            learner.kill()
            learner.wait()
        send(settings, topics.outcomes, [(b"u1", b"{"), (b"u2", None)])
        wait_until_done(workers, topics)
        assert learner.codes.count(-signal.SIGKILL) == count // chunk
    models = check_each_outcome_counts_once(settings, topics, count)
    assert models[-1].active
    assert models[-1].weights[f"{WANTED}:0"] > models[-1].weights["item_cf:0"]
    assert len(read_all(settings, topics.dead_letters.name)) == 2


def test_one_learner_works_and_the_other_takes_over(settings: Settings, topics: Topics, tmp_path: Path) -> None:
    with cluster(settings, tmp_path) as workers:

        def start(instance: str) -> Supervised:
            learner = workers.start("learner", instance)
            workers.wait_until(lambda: "works" in learner.text(), f"learner {instance}")
            return learner

        learners = [start("1"), start("2")]
        works, waits = "learns from", "waits: another one works"
        workers.wait_until(lambda: sum(works in one.text() for one in learners) == 1, "an owner")
        workers.wait_until(lambda: sum(waits in one.text() for one in learners) == 1, "a spare")
        owner, spare = sorted(learners, key=lambda one: waits in one.text())
        send(settings, topics.outcomes, keyed(outcomes(500)))
        wait_until_done(workers, topics)
        owner.held = True
        owner.kill(signal.SIGSTOP)
        workers.wait_until(lambda: works in spare.text(), "the spare at work")
        send(settings, topics.outcomes, keyed(outcomes(500, 2, 500)))
        workers.wait_until(lambda: learned(settings, topics, 900), "what the spare learned")
        owner.kill(signal.SIGCONT)
        owner.held = False
        wait_until_done(workers, topics)
        send(settings, topics.outcomes, keyed(outcomes(200, 3, 1_000)))
        workers.wait_until(lambda: learned(settings, topics, 1_200), "all that was sent")
    check_each_outcome_counts_once(settings, topics, 1_200)


def test_a_scorer_takes_new_weights_and_lists_change(settings: Settings, topics: Topics, tmp_path: Path) -> None:
    scores = {"cf": {"item_cf": 1.0, "popular": 0.1}, "pop": {"item_cf": 0.4, "popular": 1.0}}

    def ask(name: str) -> tuple[str, list[str]]:
        send(settings, topics.candidates, [(b"u1", CANDIDATES.write(make_candidates("u1", name, scores)))])
        workers.wait_until(lambda: drained(settings, "scorer", topics.candidates), f"list {name}")
        made = [json.loads(record.value or b"") for record in read_all(settings, topics.recommendations.name)]
        (one,) = [each for each in made if each["recommendation_id"] == name]
        assert all(np.isclose(sum(item["sources"].values()), 1.0) for item in one["items"])
        return one["ranker"], [item["item_id"] for item in one["items"]]

    with cluster(settings, tmp_path) as workers:
        scorer = workers.start("scorer")
        off = workers.start("scorer", "off", PROFILESTREAM_LEARNED_RANKER="false")
        workers.wait_until(lambda: all("works" in one.text() for one in (scorer, off)), "the scorers")
        off.ask_to_end()
        assert off.wait() == 0
        workers.workers.remove(off)
        assert ask("before") == ("fixed", ["cf", "pop"])
        workers.start("learner")
        send(settings, topics.outcomes, keyed(outcomes(1_000)))
        asked = iter(range(1_000))
        workers.wait_until(lambda: ask(f"after-{next(asked)}") == ("1000", ["pop", "cf"]), "the learned order")
        assert scorer.starts == 1
