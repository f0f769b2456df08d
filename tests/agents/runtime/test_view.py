"""A view follows a topic: on the real broker and on the embedded one."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Producer

from agents.admin import check_topics, create_topics
from agents.errors import RecordError
from agents.runtime import view as views
from agents.runtime.view import View
from agents.settings import Settings, read_settings
from agents.topics import build_topics
from tests.broker.support import wait_until


def decode(key: bytes, value: bytes) -> str:
    if value == b"bad":
        raise RecordError("bad_field", "it is bad")
    return f"{key.decode()}={value.decode()}"


def drained(view: View[str], keys: int, timeout_s: float = 20.0) -> dict[bytes, str | None]:
    """What came, when at least so many keys did."""
    found: dict[bytes, str | None] = {}
    deadline = time.monotonic() + timeout_s
    while True:
        complete = view.caught_up  # asked first: what came before it is drained then
        found.update(view.drain())
        if complete and len(found) >= keys:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def follow(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """The contract: all keys from the start, newest value, deletions, bad records skipped, then what comes later."""
    topic = build_topics(settings).items
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for key, value in ((b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"c", b"bad"), (b"b", None)):
        producer.produce(topic.name, value, key, 0)
    producer.produce(topic.name, b"4", b"d", 1)
    producer.flush()
    view = View(settings, topic, decode)
    view.start()
    try:
        assert drained(view, 3) == {b"a": "a=3", b"b": None, b"d": "d=4"}
        assert f"view of {topic.name}: bad record skipped at partition 0, offset 3: bad_field" in caplog.text
        assert view.drain() == []
        producer.produce(topic.name, b"5", b"d", 1)
        producer.flush()
        assert drained(view, 1) == {b"d": "d=5"}
        assert view.error is None
    finally:
        view.close()


@pytest.mark.broker
def test_on_a_real_broker(kafka: str, unique: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = read_settings(bootstrap_servers=kafka, topic_prefix=unique)
    create_topics(settings)
    follow(settings, caplog)


def test_on_the_embedded_broker(embedded: str, unique: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = read_settings(bootstrap_servers=embedded, topic_prefix=unique, embedded=True)
    check_topics(settings, [build_topics(settings).items.name])
    follow(settings, caplog)


class Endless:
    """Stands for librdkafka: at each call a record of another key."""

    def __init__(self) -> None:
        self.consumed = 0

    def list_topics(self, name: str, _timeout: float) -> Any:
        return SimpleNamespace(topics={name: SimpleNamespace(partitions={0: None})})

    def consume(self, _most: int, _wait_s: float) -> list[Any]:
        self.consumed += 1
        key = str(self.consumed).encode()
        return [SimpleNamespace(key=lambda: key, value=lambda: b"1", error=lambda: None)]

    def assign(self, _places: object) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def test_a_view_that_nobody_drains_stops_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Endless()
    monkeypatch.setattr(views, "committed_consumer", lambda *_, **__: consumer)
    monkeypatch.setattr(views, "MOST_NOT_DRAINED", 2)
    monkeypatch.setattr(views, "WAIT_S", 0.001)
    view = View(read_settings(), build_topics(read_settings()).items, decode)
    view.start()
    try:
        for reached in (3, 6):
            wait_until(lambda reached=reached: consumer.consumed >= reached, "the limit")  # type: ignore[misc]
            time.sleep(0.05)  # many times as long as it waits at once
            assert consumer.consumed == reached
            assert len(view.drain()) == 3
    finally:
        view.close()
