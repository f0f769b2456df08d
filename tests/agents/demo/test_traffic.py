"""The demo's application on the embedded broker; the test answers events with lists, as the workers would."""

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from agents.admin import check_topics
from agents.demo import traffic as tuning
from agents.demo.traffic import Figures, Traffic
from agents.errors import ProfilestreamError
from agents.local.embedded import PARTITIONS
from agents.replay import Sender
from agents.runtime.clients import committed_consumer
from agents.settings import Settings, read_settings
from agents.topics import build_topics
from models.evaluation import NextEvents

Event = dict[str, Any]


class Answers:
    """Reads events and sends lists from the same thread: `tick` of the traffic. Some events get one list together."""

    def __init__(self, settings: Settings) -> None:
        topics = build_topics(settings)
        self.seen: list[Event] = []
        self.lists = 0
        self.silent_for: set[str] = set()
        self.held: dict[str, list[str]] = {}
        self.hold_items: tuple[str, ...] = ()
        """Events of the first are answered when one of the second, which gets no answer, has come."""
        self._consumer: Consumer = committed_consumer(settings, "answers", **{"fetch.wait.max.ms": 10})
        self._consumer.assign([TopicPartition(topics.events.name, partition, 0) for partition in range(PARTITIONS)])
        self._sender = Sender(settings, topics.recommendations, "user_id")
        self._numbers = itertools.count()

    def __call__(self) -> None:
        answered: dict[str, list[str]] = {}
        for message in self._consumer.consume(500, 0.0):
            assert message.error() is None
            event = json.loads(message.value() or b"")
            self.seen.append(event)
            trigger = f"{message.topic()}-{message.partition()}-{message.offset()}"
            if event["item_id"] in self.hold_items[:1]:
                self.held[event["user_id"]] = [trigger]
            elif event["item_id"] in self.hold_items[1:]:
                answered.update(self.held)
            elif event["user_id"] not in self.silent_for:
                answered.setdefault(event["user_id"], []).append(trigger)
        self._sender.send([self._list(user, triggers) for user, triggers in answered.items()])

    def _list(self, user: str, triggers: list[str]) -> Event:
        self.lists += 1
        return {
            "recommendation_id": triggers[-1],
            "user_id": user,
            "items": [{"item_id": f"i{place}"} for place in range(10)],
            "triggers": triggers,
            "number": next(self._numbers),
        }

    def close(self) -> None:
        self._sender.wait()
        self._consumer.close()


@pytest.fixture
def settings(embedded: str, unique: str) -> Settings:
    made = read_settings(bootstrap_servers=embedded, embedded=True, topic_prefix=unique)
    topics = build_topics(made)
    check_topics(made, [topics.events.name, topics.recommendations.name])
    return made


@pytest.fixture
def answers(settings: Settings) -> Iterator[Answers]:
    made = Answers(settings)
    yield made
    made.close()


@pytest.fixture
def scores() -> NextEvents:
    return NextEvents()


@pytest.fixture
def traffic(settings: Settings, scores: NextEvents, answers: Answers) -> Iterator[Traffic]:
    made = Traffic(settings, scores, answers)
    yield made
    made.close()


def bought(users: int, items: int) -> list[Event]:
    return [
        {"user_id": f"u{user}", "item_id": f"i{item}", "event_type": "purchase", "timestamp": item}
        for item in range(items)
        for user in range(users)
    ]


def test_learning_ends_when_every_event_is_answered(traffic: Traffic, answers: Answers) -> None:
    events = bought(users=10, items=60)
    traffic.learn(events)
    figures = traffic.figures
    assert (figures.sent, figures.answered, len(answers.seen)) == (600, 600, 600)
    assert figures.lists <= 600
    assert figures.late == 0
    assert set(traffic.newest) == {f"u{user}" for user in range(10)}
    assert set(traffic.acted()) == set(traffic.newest)
    assert traffic.acted() == []


def test_a_user_acts_again_only_after_the_list_for_the_last_act(
    traffic: Traffic, answers: Answers, scores: NextEvents
) -> None:
    traffic.learn(bought(users=50, items=1))
    before = answers.lists
    traffic.act(bought(users=50, items=4)[50:])
    assert answers.lists - before == 150  # no list answers two events: the second went out after the first list
    for user in range(50):
        assert [e["item_id"] for e in answers.seen if e["user_id"] == f"u{user}"] == ["i0", "i1", "i2", "i3"]
    assert (scores.lists.events, scores.lists.hits) == (150, 150)
    assert len(traffic.figures.latencies_ms) == 150
    p50, p99 = traffic.figures.latency()
    assert 0 < p50 <= p99


def test_a_list_that_does_not_come_is_late_and_the_user_goes_on(
    traffic: Traffic, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "LIST_TIMEOUT_S", 1.0)
    answers.silent_for = {"u0"}
    traffic.act(bought(users=1, items=3))
    assert traffic.figures.late == 3
    assert (traffic.figures.acted, traffic.figures.unanswered) == (3, 3)
    assert [event["item_id"] for event in answers.seen] == ["i0", "i1", "i2"]


def test_a_late_list_does_not_answer_the_next_act(
    traffic: Traffic, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "LIST_TIMEOUT_S", 2.0)
    answers.hold_items = ("i0", "i1")
    traffic.act(bought(users=1, items=3))
    assert [event["item_id"] for event in answers.seen] == ["i0", "i1", "i2"]
    assert (traffic.figures.late, traffic.figures.unanswered) == (2, 1)


def test_learning_ends_with_an_error_when_no_list_comes(
    traffic: Traffic, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "STALL_TIMEOUT_S", 0.3)
    answers.silent_for = {"u0"}
    with pytest.raises(ProfilestreamError, match="no list came"):
        traffic.learn(bought(users=2, items=3))


def test_figures_without_anything() -> None:
    figures = Figures()
    assert figures.events_per_s(1.0) == 0.0
    assert all(math.isnan(value) for value in figures.latency())
