"""The demo's application: sends events, reads lists, and lets users act on what they see.

learn:   events as fast as the workers follow (the embedded broker keeps little)
act:     a user's next event goes out when the list that answers the last one has come; many users at a time
"""

import heapq
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Message, TopicPartition

from agents.errors import ProfilestreamError
from agents.replay import Sender
from agents.runtime.clients import committed_consumer
from agents.settings import Settings
from agents.topics import build_topics
from models.evaluation import NextEvents

MOST_AHEAD = 3_000
"""Events sent and not yet answered while learning: about 3 MB of candidates in a partition, of 5 MB that are kept."""
LEARN_AT_ONCE = 250
USERS_AT_ONCE = 40
LIST_TIMEOUT_S = 20.0
READ_AT_ONCE = 500
STALL_TIMEOUT_S = 60.0

Event = dict[str, Any]


@dataclass
class Figures:
    """What the demo shows."""

    sent: int = 0
    total: int = 0
    answered: int = 0
    lists: int = 0
    late: int = 0
    """Events of users who went on after `LIST_TIMEOUT_S` without the list."""
    unanswered: int = 0
    """Events still without a list at the end."""
    acted: int = 0
    degraded: str = ""
    began: float = 0.0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=20_000))

    def events_per_s(self, now: float) -> float:
        """Events answered per second since the start of the current part."""
        return self.answered / max(now - self.began, 1e-9) if self.began else 0.0

    def latency(self) -> tuple[float, float]:
        """(p50, p99) in ms from sending an event to reading its list; NaN while there is none."""
        if not self.latencies_ms:
            return float("nan"), float("nan")
        p50, p99 = np.percentile(np.array(self.latencies_ms), [50, 99])
        return float(p50), float(p99)


class Traffic:
    """Sends and reads from one thread. `tick` is called often, for the screen and to notice a worker's end."""

    def __init__(self, settings: Settings, scores: NextEvents, tick: Callable[[], None]) -> None:
        self.figures = Figures()
        self.newest: dict[str, dict[str, Any]] = {}
        """User → newest list."""
        self._scores, self._tick = scores, tick
        topics = build_topics(settings)
        self._sender = Sender(settings, topics.events, "user_id", self._delivered)
        self._consumer = committed_consumer(settings, "demo", **{"fetch.wait.max.ms": 10})
        self._consumer.assign([TopicPartition(topics.recommendations.name, partition, 0) for partition in range(4)])
        self._awaited: dict[str, tuple[str, float | None]] = {}
        """Trigger → user and when the act was sent (None: learning), for events whose list is awaited."""
        self._early: set[str] = set()
        """Triggers of lists that came before the delivery report."""
        self._sent_at: dict[str, deque[float]] = defaultdict(deque)
        """User → when the acts were sent whose delivery reports are awaited; they come in the order of sending."""
        self._free: list[tuple[str, float]] = []
        self._acted: list[str] = []

    def acted(self) -> list[str]:
        """Users whose list came since the last call."""
        acted, self._acted = self._acted, []
        return acted

    def close(self) -> None:
        """End reading."""
        self._consumer.close()

    def learn(self, events: Iterable[Event]) -> None:
        """Send events and wait until all are answered."""
        batch: list[Event] = []
        for event in events:
            self._scores.learn(event["user_id"], event["item_id"])
            batch.append(event)
            if len(batch) >= LEARN_AT_ONCE:
                self._send(batch)
                batch = []
                self._wait_for_answers(MOST_AHEAD)
        self._send(batch)
        self._wait_for_answers(0)

    def act(self, events: Iterable[Event]) -> None:
        """Send each user's events one by one, each after the list that answers the one before."""
        queues: dict[str, deque[Event]] = {}
        for event in events:
            queues.setdefault(event["user_id"], deque()).append(event)
        # Users in the order of their next event, so that time goes on for all alike.
        waiting = [(queue[0]["timestamp"], user) for user, queue in queues.items()]
        heapq.heapify(waiting)
        busy: dict[str, float] = {}
        self.figures.latencies_ms.clear()
        self.figures.began, self.figures.answered = time.perf_counter(), 0
        while waiting or busy:
            while waiting and len(busy) < USERS_AT_ONCE:
                _, user = heapq.heappop(waiting)
                event = queues[user].popleft()
                shown = self.newest.get(user)
                items = None if shown is None else [item["item_id"] for item in shown["items"]]
                self._scores.see(user, event["item_id"], items)
                busy[user] = time.perf_counter()
                self._sent_at[user].append(busy[user])
                self._send([event])
                self.figures.acted += 1
            self._read(0.005)
            now = time.perf_counter()
            late = [(user, since) for user, since in busy.items() if now - since > LIST_TIMEOUT_S]
            self.figures.late += len(late)
            for user, since in {*self._free, *late}:
                if busy.get(user) != since:
                    continue  # a list that came after its time is no answer to the next act
                del busy[user]
                if queues[user]:
                    heapq.heappush(waiting, (queues[user][0]["timestamp"], user))
            self._free.clear()
        self.figures.unanswered = len(self._awaited)

    def _send(self, events: list[Event]) -> None:
        self._sender.send(events)
        self.figures.sent += len(events)

    def _delivered(self, message: Message) -> None:
        trigger = f"{message.topic()}-{message.partition()}-{message.offset()}"
        user = (message.key() or b"").decode()
        undelivered = self._sent_at.get(user)
        sent_at = undelivered.popleft() if undelivered else None
        if trigger in self._early:
            self._early.discard(trigger)
            self._answered(user, sent_at)
        else:
            self._awaited[trigger] = user, sent_at

    def _answered(self, user: str, sent_at: float | None) -> None:
        self.figures.answered += 1
        if sent_at is not None:
            self.figures.latencies_ms.append((time.perf_counter() - sent_at) * 1000)
            self._free.append((user, sent_at))

    def _wait_for_answers(self, most_ahead: int) -> None:
        """Read lists until at most so many events are unanswered."""
        if not self.figures.began:
            self.figures.began = time.perf_counter()
        before, since = self.figures.answered, time.perf_counter()
        while self.figures.sent - self.figures.answered > most_ahead:
            self._read(0.02)
            if self.figures.answered != before:
                before, since = self.figures.answered, time.perf_counter()
            elif time.perf_counter() - since > STALL_TIMEOUT_S:
                missing = self.figures.sent - self.figures.answered
                raise ProfilestreamError(f"no list came for {STALL_TIMEOUT_S:.0f} s; {missing:,} events wait for one")

    def _read(self, wait_s: float) -> None:
        self._sender.poll()
        first = self._consumer.poll(wait_s)
        if first is not None:
            for message in (first, *self._consumer.consume(READ_AT_ONCE, 0.0)):
                if message.error() is None:
                    self._take(json.loads(message.value() or b"{}"))
        self._tick()

    def _take(self, recommendation: dict[str, Any]) -> None:
        user = recommendation["user_id"]
        self.newest[user] = recommendation
        self._acted.append(user)
        self.figures.lists += 1
        self.figures.degraded = recommendation.get("degraded_reason", "")
        for trigger in recommendation["triggers"]:
            awaited = self._awaited.pop(trigger, None)
            if awaited is None:
                self._early.add(trigger)
            else:
                self._answered(*awaited)
