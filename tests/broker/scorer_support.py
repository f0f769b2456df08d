"""Candidates for scorers on a real Kafka, and what must come of them."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from agents.packed import CANDIDATES
from agents.records import Item, encode_json
from agents.runtime.reading import ReadRecord
from agents.settings import Settings
from agents.topics import Topics, build_topics
from tests.agents.scorer_support import make_candidates
from tests.broker.support import Cluster, Supervised, absorbed, drained, read_all, send

ITEMS = [Item(item_id=f"i{n}", title=f"item number {n}", categories=[f"c{n % 5}"]) for n in range(60)]
SCORES = {item.item_id: {"item_cf": 60.0 - n, "popular": 1.0 + n} for n, item in enumerate(ITEMS)}


def send_items(settings: Settings, items: Iterable[Item] = ITEMS) -> Topics:
    """A catalogue in the topic; the topics."""
    topics = build_topics(settings)
    send(settings, topics.items, [(item.item_id.encode(), encode_json(item)) for item in items])
    return topics


def packed(
    first: int, count: int, deadline_ms: int = 0, scores: Mapping[str, Mapping[str, float]] = SCORES
) -> list[tuple[bytes | None, bytes | None]]:
    """Candidates records with the recommendation ids "<n>", of many users."""
    made: list[tuple[bytes | None, bytes | None]] = []
    for number in range(first, first + count):
        user = f"user-{number % 40}"
        record = make_candidates(user, str(number), scores, recent=["i1", "i2"], seen=["i3"], deadline_ms=deadline_ms)
        made.append((user.encode(), CANDIDATES.write(record)))
    return made


def lists(settings: Settings, topics: Topics) -> list[tuple[ReadRecord, dict[str, object]]]:
    """All lists that were sent."""
    return [(record, json.loads(record.value or b"")) for record in read_all(settings, topics.recommendations.name)]


def count_absorbed(settings: Settings, topics: Topics) -> int:
    """Candidates records whose lists are committed."""
    return sum(absorbed(settings, "scorer", topics.candidates).values())


def start(workers: Cluster, instance: str, **environment: str) -> Supervised:
    """A scorer that works."""
    scorer = workers.start("scorer", instance, restart=True, **environment)
    workers.wait_until(lambda: "works" in scorer.text(), f"scorer {instance}")
    return scorer


def wait_until_done(workers: Cluster, topics: Topics, timeout_s: float = 90.0) -> None:
    """Until all candidates are absorbed."""
    settings = workers.settings
    workers.wait_until(lambda: drained(settings, "scorer", topics.candidates), "the last candidates", timeout_s)


def check_one_list_each(settings: Settings, topics: Topics, count: int) -> None:
    """Exactly the lists "0" … in the partitions of their candidates, for the right users."""
    asked = {
        CANDIDATES.read(record.value or b"").recommendation_id: (record.partition, record.key)
        for record in read_all(settings, topics.candidates.name)
    }
    made = lists(settings, topics)
    assert Counter(one["recommendation_id"] for _, one in made) == Counter(str(number) for number in range(count))
    for record, one in made:
        assert (record.partition, record.key) == asked[str(one["recommendation_id"])]
        assert str(one["user_id"]).encode() == record.key
