"""A view follows a topic: on the real broker and on the embedded one."""

import time

import pytest
from confluent_kafka import Producer

from agents.admin import check_topics, create_topics
from agents.errors import RecordError
from agents.runtime.view import View
from agents.settings import Settings, read_settings
from agents.topics import build_topics


def decode(key: bytes, value: bytes) -> str:
    if value == b"bad":
        raise RecordError("bad_field", "it is bad")
    return f"{key.decode()}={value.decode()}"


def drained(view: View[str], keys: int, timeout_s: float = 20.0) -> dict[bytes, str | None]:
    """What came, when at least so many keys did."""
    found: dict[bytes, str | None] = {}
    deadline = time.monotonic() + timeout_s
    while len(found) < keys or not view.caught_up:
        assert time.monotonic() < deadline, found
        found.update(view.drain())
        time.sleep(0.01)
    return found


def follow(settings: Settings) -> None:
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
        assert view.drain() == []
        producer.produce(topic.name, b"5", b"d", 1)
        producer.flush()
        assert drained(view, 1) == {b"d": "d=5"}
        assert view.error is None
    finally:
        view.close()


@pytest.mark.broker
def test_on_a_real_broker(kafka: str, unique: str) -> None:
    settings = read_settings(bootstrap_servers=kafka, topic_prefix=unique)
    create_topics(settings)
    follow(settings)


def test_on_the_embedded_broker(embedded: str, unique: str) -> None:
    settings = read_settings(bootstrap_servers=embedded, topic_prefix=unique, embedded=True)
    check_topics(settings, [build_topics(settings).items.name])
    follow(settings)
