"""Rules on a real Kafka: the commands change them, and workers follow without a restart."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.support import Cluster, broker_settings, cluster, drained, read_all, send
from tests.broker.test_commands import answer, run

pytestmark = pytest.mark.broker

ITEMS = [f"i{n}" for n in range(12)]


@pytest.fixture(scope="module")
def workers(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Profiles, similarity and scorer, which have absorbed purchases of ten users."""
    folder = tmp_path_factory.mktemp("rules")
    settings = broker_settings(kafka, f"rules-{uuid.uuid4().hex[:8]}-", folder / "data", gather_s=0.1)
    assert run(settings, "topics", "create").returncode == 0
    topics = build_topics(settings)
    entries = [
        {"item_id": item, "title": item, "categories": ["even" if n % 2 == 0 else "odd"]}
        for n, item in enumerate(ITEMS)
    ]
    send(settings, topics.items, [(str(one["item_id"]).encode(), json.dumps(one).encode()) for one in entries])
    bought = [
        {"user_id": f"u{user}", "item_id": ITEMS[(user + n) % 12], "event_type": "purchase"}
        for user in range(12)
        for n in range(4)
    ]
    with cluster(settings, folder) as made:
        for kind in ("profiles", "similarity", "scorer"):
            made.start(kind)
        send(settings, topics.events, [(one["user_id"].encode(), json.dumps(one).encode()) for one in bought])
        for worker, topic in (("profiles", topics.events), ("similarity", topics.cooccurrence)):
            made.wait_until(lambda w=worker, t=topic: drained(settings, w, t), f"the end of {topic.name}", 180)  # type: ignore[misc]
        yield made


@pytest.fixture
def settings(workers: Cluster) -> Settings:
    return workers.settings


def put(settings: Settings, folder: Path, rules: dict[str, Any], *options: str) -> str:
    path = folder / "rules.json"
    path.write_text(json.dumps(rules))
    ended = run(settings, "rules", "put", str(path), *options)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def shown(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(settings, "rules", "show", "--json").stdout)
    return found


def wait_for(workers: Cluster, true: Callable[[list[dict[str, Any]]], bool], what: str) -> None:
    """Ask for lists until one is as it should be."""
    workers.wait_until(lambda: true(answer(workers.settings, "request", "u3", "--k", "12")["items"]), what, 120)


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["item_id"] for item in items]


def test_workers_follow_rules_without_a_restart(workers: Cluster, settings: Settings, tmp_path: Path) -> None:
    own = {"i3", "i4", "i5", "i6"}
    wait_for(workers, lambda items: set(ids(items)) == set(ITEMS) - own, "a list of all items")
    put(
        settings,
        tmp_path,
        {"no": {"kind": "block", "categories": ["odd"]}, "first": {"kind": "pin", "items": ["i0"], "position": 0}},
    )
    wait_for(
        workers,
        lambda items: ids(items)[0] == "i0" and set(ids(items)) == {"i0", "i2", "i8", "i10"},
        "a list of even items, the pinned one first",
    )
    (pinned, *_) = answer(settings, "request", "u3")["items"]
    assert pinned["reason"] == "picked by the shop"
    put(settings, tmp_path, {"again": {"kind": "repeat", "categories": ["odd"], "days": 1e-6}})
    wait_for(workers, lambda items: set(ids(items)) == set(ITEMS) - {"i4", "i6"}, "odd items that were bought before")
    assert run(settings, "rules", "delete", "again").returncode == 0
    wait_for(workers, lambda items: set(ids(items)) == set(ITEMS) - own, "a list as at first")
    assert all(worker.starts == 1 for worker in workers.workers)


def test_a_bad_rule_in_the_topic_is_passed_over(workers: Cluster, settings: Settings, tmp_path: Path) -> None:
    put(settings, tmp_path, {})
    good = {"name": "good", "kind": "block", "items": ["i0"]}
    # The good one last: a list that follows it was made after the others were read.
    records = [("bad", {"name": "bad", "kind": "block"}), ("other", {**good, "items": ["i1"]}), ("good", good)]
    send(settings, build_topics(settings).rules, [(key.encode(), json.dumps(rule).encode()) for key, rule in records])
    wait_for(workers, lambda items: "i0" not in ids(items) and "i1" in ids(items), "a list under the good rule alone")


def test_put_makes_the_rules_those_of_the_file(settings: Settings, tmp_path: Path) -> None:
    a, b, c = ({"kind": "block", "items": [item]} for item in ("x", "y", "z"))
    put(settings, tmp_path, {})
    assert put(settings, tmp_path, {"a": a, "b": b}) == "2 rules put, 0 deleted, 0 were so already\n"
    assert shown(settings) == {"a": a, "b": b}
    assert put(settings, tmp_path, {"b": b, "c": c}) == "1 rules put, 1 deleted, 1 were so already\n"
    assert shown(settings) == {"b": b, "c": c}
    assert put(settings, tmp_path, {"a": b}, "--keep") == "1 rules put, 0 deleted, 0 were so already\n"
    assert shown(settings) == {"a": b, "b": b, "c": c}
    before = len(read_all(settings, build_topics(settings).rules.name))
    refused = run(settings, "rules", "put", str(_bad_file(tmp_path)))
    assert (refused.returncode, shown(settings)) == (2, {"a": b, "b": b, "c": c})
    assert "nothing was sent" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(read_all(settings, build_topics(settings).rules.name)) == before
    table = run(settings, "rules", "show")
    assert "block" in table.stdout


def test_only_rules_that_are_there_are_deleted(settings: Settings, tmp_path: Path) -> None:
    put(settings, tmp_path, {"a": {"kind": "block", "items": ["x"]}})
    unknown = run(settings, "rules", "delete", "a", "b")
    assert unknown.returncode == 1
    assert "there is no rule b" in unknown.stderr
    assert set(shown(settings)) == {"a"}
    assert run(settings, "rules", "delete", "a").returncode == 0
    assert shown(settings) == {}


def test_a_bad_rule_is_deleted_whatever_its_key_is(settings: Settings, tmp_path: Path) -> None:
    def held() -> set[bytes | None]:
        records = {record.key: record.value for record in read_all(settings, topic.name)}
        return {key for key, value in records.items() if value is not None}

    put(settings, tmp_path, {})
    topic, rule = build_topics(settings).rules, json.dumps({"kind": "block", "items": ["x"]}).encode()
    send(settings, topic, [(b"\xff", rule), (b"\xfe", rule)])
    assert r"rules delete '\xff'" in run(settings, "rules", "show").stderr
    assert run(settings, "rules", "delete", r"\xff").returncode == 0
    assert held() == {b"\xfe"}
    put(settings, tmp_path, {})
    assert held() == set()


def _bad_file(folder: Path) -> Path:
    path = folder / "bad.toml"
    path.write_text('[a]\nkind = "boost"\nitems = ["x"]\n')
    return path
