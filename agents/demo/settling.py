"""Between learning and acting: what was learned in seconds took a year, so the workers are given time to follow."""

import time
from collections.abc import Callable

from agents.demo.processes import READY_TIMEOUT_S, Workers
from agents.errors import ProfilestreamError
from agents.settings import Settings
from agents.topics import build_topics

STILL_S = 2.5
"""Neighbours that have not been published for so long are all published; workers gather and publish once a second."""
TIMEOUT_S = 30.0
POLL_S = 0.1


class Stillness:
    """Tells from the workers' counts whether every change of co-counts is absorbed and its neighbours are published."""

    def __init__(self, now: float) -> None:
        self._moved_at = now
        self._published = -1.0

    def settled(self, now: float, *, sent: float, absorbed: float, published: float) -> bool:
        """Whether nothing is left to absorb and nothing was published for `STILL_S` seconds of `now`."""
        if published != self._published or absorbed < sent:
            self._moved_at = now
        self._published = published
        return now - self._moved_at >= STILL_S


def wait_until_settled(workers: Workers, settings: Settings, tick: Callable[[], None]) -> bool:
    """Wait until similarity has followed; False: not in time. `tick` is called often."""
    topics = build_topics(settings)
    changes, neighbours = topics.cooccurrence.name, topics.neighbours.name
    deadline = time.monotonic() + TIMEOUT_S
    stillness = Stillness(time.monotonic())
    while (now := time.monotonic()) < deadline:
        published = workers.count("similarity", "sent_total", neighbours)
        absorbed = workers.count("similarity", "records_absorbed_total", changes)
        sent = workers.count("profiles", "sent_total", changes)
        if stillness.settled(now, sent=sent, absorbed=absorbed, published=published):
            return True
        tick()
        time.sleep(POLL_S)
    return False


def wait_until_complete(workers: Workers, tick: Callable[[], None]) -> None:
    """Wait until no worker has work left beside its work, such as embeddings. Raises `ProfilestreamError`."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while waiting := workers.waiting_for(complete=True):
        if time.monotonic() > deadline:
            raise ProfilestreamError(f"the workers were not ready after {READY_TIMEOUT_S:.0f} s: {waiting}")
        tick()
        time.sleep(POLL_S)
