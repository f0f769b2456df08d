"""What all tests share: brokers, names of their own, and guards against what a test leaves behind."""

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from agents.local.embedded import EmbeddedBroker
from agents.local.kafka import LocalKafka

LEFTOVER_TIMEOUT_S = 2.0
"""A thread that was told to end may need a moment."""

# The same examples in every run, and no limit on the time of one: continuous integration has slow minutes.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_configure() -> None:
    """SIGTERM ends the tests as Ctrl-C does, with all clean-up: no broker is left running."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


_ports: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on and nobody was given before.

    None of those that outgoing connections get: one could have it first.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        if port in _ports:
            continue
        _ports.add(port)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Apache Kafka: `PROFILESTREAM_TEST_BROKER`, or one that lives as long as the tests."""
    if bootstrap := os.environ.get("PROFILESTREAM_TEST_BROKER"):
        yield bootstrap
        return
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), free_port(), free_port())
    broker.start()
    try:
        yield broker.bootstrap
    finally:
        broker.stop()


@pytest.fixture
def embedded() -> Iterator[str]:
    """Address of an embedded broker with nothing in it."""
    with EmbeddedBroker() as broker:
        yield broker.bootstrap


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A prefix for the topics, groups and ids of this test alone."""
    return f"{request.node.originalname or request.node.name}"[:40].replace("_", "-") + f"-{uuid.uuid4().hex[:8]}-"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder in place of the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PROFILESTREAM_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = _new_threads(before)
    if left:
        gc.collect()
        deadline = time.monotonic() + LEFTOVER_TIMEOUT_S
        for thread in left:
            thread.join(max(0.0, deadline - time.monotonic()))
    names = [thread.name for thread in _new_threads(before)]
    assert not names, f"the test left threads running: {names}"


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    # A dummy stands for a thread of a C library that once called into Python; nobody can join it.
    return [thread for thread in threading.enumerate() if thread not in before and not thread.name.startswith("Dummy-")]


@pytest.fixture(autouse=True)
def _no_task_is_left() -> Iterator[None]:
    yield
    # The registry of the tasks of all loops, also closed ones, whose tasks can never end; Python 3.12 renamed it.
    registry: Any = getattr(asyncio.tasks, "_scheduled_tasks", None) or getattr(asyncio.tasks, "_all_tasks", ())
    left = [task for task in list(registry) if not task.done()]
    assert not left, f"the test left tasks pending: {left}"


@pytest.fixture(autouse=True)
def _environment_is_as_before() -> Iterator[None]:
    ignored = {"PYTEST_CURRENT_TEST"}
    before = {name: value for name, value in os.environ.items() if name not in ignored}
    yield
    after = {name: value for name, value in os.environ.items() if name not in ignored}
    assert after == before, "the test changed the environment; use monkeypatch"
