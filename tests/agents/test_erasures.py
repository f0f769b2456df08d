"""Erasures are remembered by a hash of the user, for as long as a topic may hold older records."""

from types import SimpleNamespace
from typing import Any

import pytest

from agents.erasures import PREFIX, Erasures, erasure_key
from agents.packed import ERASURE, Erasure
from agents.runtime.metrics import Metrics
from agents.runtime.transaction import Transaction
from agents.settings import Settings
from agents.topics import DAY_MS, build_topics
from tests.agents.test_intake import Sent

NOW_MS = 1_700_000_000_000
WEEK_MS = 7 * DAY_MS


class Rows:
    """A table of one partition."""

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self.rows = rows

    def read(self, _partition: int, keys: Any) -> list[bytes | None]:
        return [self.rows.get(key) for key in keys]

    def scan(self, _partition: int, prefix: bytes) -> Any:
        return iter([(key, value) for key, value in sorted(self.rows.items()) if key.startswith(prefix)])


@pytest.fixture
def transaction() -> Transaction:
    producer: Any = Sent()
    table: Any = SimpleNamespace(changelog="changelog")
    return Transaction(producer, table, ("dead-letters", 4), Metrics(), NOW_MS)


def written(transaction: Transaction) -> dict[bytes, bytes | None]:
    return dict(transaction._rows.get(0, {}))


def test_the_key_does_not_hold_the_id() -> None:
    assert b"ana" not in erasure_key(b"ana")
    assert erasure_key(b"ana") != erasure_key(b"anb")
    assert erasure_key(b"ana").startswith(PREFIX)


def test_what_was_noted_is_found_now_and_after_a_restart(transaction: Transaction) -> None:
    erasures = Erasures(97)
    assert erasures.of(0, b"ana") == 0
    erasures.note(0, b"ana", 5, transaction)
    assert (erasures.of(0, b"ana"), erasures.of(0, b"bob"), erasures.of(1, b"ana")) == (5, 0, 0)
    rows = {key: value for key, value in written(transaction).items() if value is not None}
    restarted = Erasures(97)
    restarted.load([0, 1], Rows({b"bob": b"a profile", **rows}))
    assert (restarted.of(0, b"ana"), restarted.of(0, b"bob")) == (5, 0)
    restarted.load([1], Rows({}))
    assert restarted.of(0, b"ana") == 0


def test_it_is_let_go_when_it_is_old_enough(transaction: Transaction) -> None:
    erasures = Erasures(2)
    old, young = NOW_MS - 2 * DAY_MS - 1, NOW_MS - 2 * DAY_MS
    rows = {erasure_key(b"old"): ERASURE.write(Erasure(old)), erasure_key(b"young"): ERASURE.write(Erasure(young))}
    erasures.load([0], Rows(rows))
    erasures.let_go(transaction)
    assert written(transaction) == {erasure_key(b"old"): None}
    assert (erasures.of(0, b"old"), erasures.of(0, b"young")) == (0, young)


def test_by_default_it_outlives_every_topic_s_records() -> None:
    settings = Settings.model_construct()
    longest = max(topic.retention_ms or 0 for topic in build_topics(settings).all())
    assert settings.erasure_kept_days * DAY_MS >= longest + WEEK_MS  # a segment may stay open for a week
