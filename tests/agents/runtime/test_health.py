"""Alive, ready, and what is served on HTTP."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from agents.errors import BrokerError, SetupError
from agents.runtime.health import STALLED_AFTER_S, Health, HealthServer
from agents.runtime.metrics import METRICS, Metrics
from agents.settings import read_settings
from tests.conftest import free_port


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_that_does_not_come_round_is_not_alive() -> None:
    clock = Clock()
    health = Health(clock)
    clock.now = STALLED_AFTER_S + 1
    assert not health.alive()
    health.beat()
    assert health.alive()


def test_records_that_wait_while_none_comes_are_a_stall() -> None:
    clock = Clock()
    health = Health(clock)
    health.note_lag(moved=False, behind=True)
    clock.now = STALLED_AFTER_S + 1
    health.beat()
    assert not health.alive()
    with pytest.raises(BrokerError, match="none came for 120 s"):
        health.check()
    health.note_lag(moved=True, behind=True)
    assert health.alive()
    health.check()


def test_an_idle_worker_is_alive() -> None:
    clock = Clock()
    health = Health(clock)
    health.note_lag(moved=False, behind=False)
    clock.now = STALLED_AFTER_S + 1
    health.beat()
    health.note_lag(moved=False, behind=False)
    assert health.alive()


@pytest.fixture
def served() -> Iterator[tuple[Health, Metrics, int]]:
    health, metrics = Health(), Metrics()
    server = HealthServer(read_settings(http_port=free_port()), health, metrics)
    yield health, metrics, server.port
    server.close()


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


def test_ready_says_what_is_waited_for(served: tuple[Health, Metrics, int]) -> None:
    health, _, port = served
    health.reasons = ("view items", "restore")
    assert get(port, "/ready") == (
        503,
        json.dumps({"ready": False, "waiting_for": ["view items", "restore"], "still": []}),
    )
    health.reasons = ()
    assert get(port, "/ready")[0] == 200
    assert get(port, "/live")[0] == 200
    assert get(port, "/elsewhere")[0] == 404


def test_every_metric_is_served_with_its_meaning(served: tuple[Health, Metrics, int]) -> None:
    _, metrics, port = served
    metrics.add("dead_letters_total", topic="events", reason="bad_json")
    metrics.observe("batch_records", 5)
    text = get(port, "/metrics")[1]
    for name, metric in METRICS.items():
        family = name.removesuffix("_total") if metric.kind == "counter" else name
        assert f"# HELP profilestream_{family}" in text or f"# HELP profilestream_{name}" in text
    assert 'profilestream_dead_letters_total{reason="bad_json",topic="events"} 1.0' in text


def test_a_port_in_use_is_named(served: tuple[Health, Metrics, int]) -> None:
    with pytest.raises(SetupError, match="PROFILESTREAM_HTTP_PORT"):
        HealthServer(read_settings(http_port=served[2]), Health(), Metrics())
