"""Erase a user, wait until the profile is gone, and say what goes later and by itself."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType

from agents.erasures import erasure_key
from agents.errors import BrokerError, RecordError
from agents.lookup import scan
from agents.packed import ERASURE
from agents.partition import partition_of
from agents.records import check_id
from agents.runtime.clients import admin_client, committed_consumer, plain_producer
from agents.runtime.refusal import no_answer
from agents.settings import Settings
from agents.topics import Topic, app_id, build_topics

ANSWER_TIMEOUT_S = 8.0
POLL_S = 0.5
LIVE_WAIT_S = 10.0
"""An evaluation worker that runs has deleted its row by then."""
LIVE_POLL_S = 1.0
FOR_EVER_MS = 2**62
"""Kafka's default for the lag of compaction is the largest number there is."""


def forget(settings: Settings, user: str, timeout_s: float) -> int:
    """Send the null that erases a user and wait until a profiles worker has done it.

    Returns the Kafka time (ms) up to which nothing of the user counts any more. Raises `RecordError` if this can be no
    user's id, `BrokerError` if no worker does it in time: it is then in the log and is done as soon as one runs.
    """
    if not user:
        raise RecordError("missing_key", "the user's id is empty; nothing was sent")
    check_id(user, "the user's id")
    topics, key = build_topics(settings), user.encode()
    changelog = topics.profiles_changelog
    place = TopicPartition(changelog.name, partition_of(key, changelog.partitions))
    consumer = committed_consumer(settings, app_id(settings, "forget"), **{"fetch.wait.max.ms": 20})
    try:
        # From before the null is sent: what answers it is then seen for certain.
        place.offset = consumer.get_watermark_offsets(place, ANSWER_TIMEOUT_S)[1]
        consumer.assign([place])
        sent_ms = _send_null(settings, topics.users, key)
        return _erased(consumer, erasure_key(key), sent_ms, time.monotonic() + timeout_s, timeout_s)
    except KafkaException as exc:
        raise no_answer(settings, exc) from exc
    finally:
        consumer.close()


def _send_null(settings: Settings, topic: Topic, key: bytes) -> int:
    """Send the null; its Kafka time, ms."""
    producer = plain_producer(settings)
    outcome: list[tuple[Any, Any]] = []
    producer.produce(
        topic.name, None, key, partition_of(key, topic.partitions), on_delivery=lambda *report: outcome.append(report)
    )
    producer.flush(ANSWER_TIMEOUT_S)
    if not outcome or outcome[0][0] is not None:
        why = outcome[0][0].str() if outcome else "no answer in time"
        raise BrokerError(f"the erasure did not reach {topic.name}: {why}\n  Give the command again.")
    return int(outcome[0][1].timestamp()[1])


def _erased(consumer: Consumer, key: bytes, sent_ms: int, deadline: float, timeout_s: float) -> int:
    """Wait for the worker's erasure of this key that is not older than the null."""
    while (left := deadline - time.monotonic()) > 0:
        message = consumer.poll(min(left, POLL_S))
        if message is None or message.error() is not None or message.key() != key:
            continue
        at_ms = ERASURE.read(message.value() or b"").at_ms
        if at_ms >= sent_ms:
            return at_ms
    raise BrokerError(
        f"the erasure was sent, but no profiles worker has done it within {timeout_s:g} s\n  It is in the log and will "
        "be done as soon as one works (profilestream worker profiles); `profilestream profile` shows when."
    )


def live_row_stays(settings: Settings, user: str, erased_ms: int) -> bool:
    """Whether live evaluation still holds what is older than the erasure, also after waiting. Raises `BrokerError`.

    `erased_ms`: what `forget` returned.
    """
    topic, key = build_topics(settings).live_changelog, user.encode()
    place, deadline = partition_of(key, topic.partitions), time.monotonic() + LIVE_WAIT_S
    while holds_older(dict(scan(settings, topic, place)), key, erased_ms):
        if time.monotonic() >= deadline:
            return True
        time.sleep(LIVE_POLL_S)
    return False


def holds_older(rows: Mapping[bytes, bytes | None], user: bytes, erased_ms: int) -> bool:
    """Whether rows of the table `live` hold one of the user that was begun before the erasure."""
    if rows.get(user) is None:
        return False
    erasure = rows.get(erasure_key(user))
    return erasure is None or ERASURE.read(erasure).at_ms < erased_ms


@dataclass(frozen=True)
class Leftover:
    """What a topic still holds of an erased user, and for how long at most."""

    topic: str
    what: str
    seconds: float | None
    """None: the broker does not say, or keeps it for ever."""


def leftovers(settings: Settings) -> list[Leftover]:
    """Where records of a user remain after erasure, by the broker's own configuration. Raises `BrokerError`."""
    topics = build_topics(settings)
    held = {
        topics.events: "events",
        topics.users: "earlier declarations",
        topics.requests: "requests",
        topics.recommendations: "lists",
        topics.outcomes: "outcomes",
        topics.candidates: "extracts of the profile",
        topics.dead_letters: "bad records",
        topics.profiles_changelog: "earlier versions of the profile",
        topics.live_changelog: "earlier versions of what live evaluation keeps",
    }
    admin = admin_client(settings)
    futures = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic.name) for topic in held])
    described = {resource.name: future for resource, future in futures.items()}
    return [Leftover(topic.name, what, _seconds(topic, described[topic.name])) for topic, what in held.items()]


def _seconds(topic: Topic, described: "Future[Any]") -> float | None:
    """How long a record may stay: retention and the time until its segment is closed, or compaction's lag."""
    names = ("retention.ms", "segment.ms") if topic.cleanup == "delete" else ("max.compaction.lag.ms",)
    try:
        config = described.result(ANSWER_TIMEOUT_S)
        values = [int(config[name].value) for name in names]
    except (KafkaException, KeyError, ValueError):
        return None
    return sum(values) / 1000 if min(values) >= 0 and max(values) < FOR_EVER_MS else None
