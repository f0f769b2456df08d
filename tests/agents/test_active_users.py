"""User CF through the agents: who is asked, and who is not any more."""

from pathlib import Path
from typing import Any

import pytest

from agents.evaluation.pipeline import Pipeline
from agents.packed import CANDIDATES
from agents.profiles import ProfilesAgent
from agents.records import Event, User, encode_json
from agents.runtime.metrics import Metrics
from agents.settings import read_settings
from agents.topics import build_topics
from tests.agents.in_memory import Log, Worker
from tests.agents.runtime.test_positions import Rec

NOW_MS = 1_790_000_000_000
SETTINGS: dict[str, Any] = {"candidates_user_cf": 20, "weight_item_cf": 0.0, "weight_ridge": 0.0, "weight_popular": 0.0}
BOUGHT = {"ann": "abc", "bob": "abcd", "eve": "xyz", "me": "ab"}


def played(**settings: Any) -> Pipeline:
    pipeline = Pipeline(read_settings(**(SETTINGS | settings)), NOW_MS)
    events = [
        (user.encode(), encode_json(Event(user, "purchase", item, NOW_MS / 1000)))
        for user, items in BOUGHT.items()
        for item in items
    ]
    pipeline.absorb(events, NOW_MS)
    pipeline.settle()
    return pipeline


def listed(pipeline: Pipeline) -> dict[str, float]:
    (made,) = pipeline.ask({"me": 0}, 10)
    return {item.item_id: item.sources.get("user_cf", 0.0) for item in made.items}


def test_users_with_the_same_items_speak_for_what_else_they_have() -> None:
    found = listed(played())
    assert {item for item, share in found.items() if share == 1.0} == {"c", "d"}
    assert next(iter(found)) == "c", "both have it"


def test_without_candidates_of_user_cf_nothing_is_kept() -> None:
    found = played(candidates_user_cf=0)
    assert not any(listed(found).values())
    assert ProfilesAgent(read_settings(), Metrics()).knowledge.active is None


def test_who_withdraws_consent_or_is_erased_is_not_asked_any_more(tmp_path: Path) -> None:
    settings = read_settings(**SETTINGS, user_partitions=1)
    agent, log, topics = ProfilesAgent(settings, Metrics()), Log(), build_topics(settings)
    worker = Worker(settings, tmp_path, "profiles", agent, log)
    active = agent.knowledge.active
    assert active is not None
    for offset, user in enumerate(("ann", "bob", "eve")):
        value = encode_json(Event(user, "purchase", "a", log.now_ms / 1000))
        worker.absorb(topics.events.name, [Rec(topics.events.name, 0, offset, log.now_ms, user.encode(), value)])
    assert len(active) == 3
    withdrawn = encode_json(User("ann", consent=False))
    worker.absorb(topics.users.name, [Rec(topics.users.name, 0, 0, log.now_ms, b"ann", withdrawn)])
    worker.absorb(topics.users.name, [Rec(topics.users.name, 0, 1, log.now_ms, b"bob", None)])
    assert len(active) == 1
    agent.assigned(frozenset({0}), worker.table)
    assert len(active) == 0, "its users may be another worker's now"
    worker.close()


@pytest.mark.parametrize("erased", [False, True])
def test_who_is_erased_speaks_for_nobody_in_the_same_batch(erased: bool, tmp_path: Path) -> None:
    settings = read_settings(**SETTINGS, user_partitions=1, trigger_max_age_s=0)
    agent, log, topics = ProfilesAgent(settings, Metrics()), Log(), build_topics(settings)
    worker = Worker(settings, tmp_path, "profiles", agent, log)

    def bought(user: str, items: str, first: int) -> list[Rec]:
        return [
            Rec(
                topics.events.name,
                0,
                first + place,
                log.now_ms,
                user.encode(),
                encode_json(Event(user, "purchase", item)),
            )
            for place, item in enumerate(items)
        ]

    worker.absorb(topics.events.name, [*bought("bob", "abd", 0), *bought("me", "a", 3)])
    assert agent.knowledge.active is not None
    agent.knowledge.active.refresh(len(agent.knowledge.items))
    declared = [Rec(topics.users.name, 0, 0, log.now_ms, b"bob", None)] if erased else []
    worker.absorb_all({topics.users.name: declared, topics.events.name: bought("me", "b", 4)})
    newest = CANDIDATES.read(log.all(topics.candidates.name)[-1].value or b"")
    assert (newest.user_id, "d" in newest.items) == ("me", not erased)
    worker.close()
