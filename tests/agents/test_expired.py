"""A request past its deadline: one outcome, and one more in the metric when that is committed."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP

from agents.knowledge import Knowledge
from agents.lists import CandidatesWriter
from agents.packed import CANDIDATES
from agents.records import Request
from agents.runtime.batch import Batch
from agents.runtime.metrics import Metrics
from agents.runtime.transaction import Transaction
from agents.scoring.scorer import Scorer
from agents.settings import read_settings
from agents.users import Folded
from models.profile import Profile
from tests.agents.runtime.test_positions import Rec
from tests.agents.scorer_support import make_candidates
from tests.agents.test_intake import NOW_MS, Sent


class Committing(Sent):
    """A producer to which every transaction is good."""

    def send_offsets_to_transaction(self, *_: object) -> None:
        """Nothing to do."""

    def commit_transaction(self, *_: object) -> None:
        """Nothing to do."""


@pytest.fixture
def sent() -> Committing:
    return Committing()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def transaction(sent: Committing, metrics: Metrics) -> Transaction:
    producer: Any = sent
    return Transaction(producer, None, ("dead-letters", 4), metrics, NOW_MS)


def expired(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("profilestream_expired_total")


def commit(transaction: Transaction) -> None:
    with ThreadPoolExecutor(1) as executor:
        transaction.send_offsets({}, None, executor)
        transaction.commit()


def test_in_the_profiles_worker(sent: Committing, metrics: Metrics, transaction: Transaction, tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path)
    writer = CandidatesWriter(settings, Knowledge(settings))
    requests = [
        (Rec("requests", 1, 7, NOW_MS - 1_000), Request("u", "late", deadline_ms=999)),
        (Rec("requests", 1, 8, NOW_MS - 1_000), Request("u", "in time", deadline_ms=1_000)),
    ]
    writer.want(1, b"u", Folded("u", Profile(), requests=list(requests)))
    ((to, _, candidates),) = writer.take(transaction)
    assert (to, candidates.request_id) == (1, "in time")
    ((topic, partition, key, value, _),) = sent.records
    assert topic == "outcomes"
    told = json.loads(value or b"")
    assert (partition, key, told["outcome"], told["request_id"]) == (1, b"u", "expired", "late")
    assert (told["recommendation_id"], told["timestamp"]) == ("requests-1-7", NOW_MS / 1000)
    assert expired(metrics) == 0
    commit(transaction)
    assert expired(metrics) == 1


def test_in_the_scorer(sent: Committing, metrics: Metrics, transaction: Transaction) -> None:
    late = make_candidates(deadline_ms=NOW_MS - 1)
    batch = Batch({TP("candidates", 2): [Rec("candidates", 2, 0, value=CANDIDATES.write(late))]})
    Scorer(read_settings(), None, None, metrics).absorb(batch, transaction)
    ((topic, partition, key, value, _),) = sent.records
    assert (topic, partition, key) == ("outcomes", 2, b"u1")
    assert json.loads(value or b"")["request_id"] == "r-requests-0-1"
    commit(transaction)
    assert expired(metrics) == 1
