"""The commands against a real Kafka and running workers, as a person or a script would use them."""

import csv
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.support import ROOT, Cluster, broker_settings, cluster, drained, environment, newest, read_all

pytestmark = pytest.mark.broker

USERS, ITEMS = 30, 12
TIMEOUT_S = 120
COMMAND = [sys.executable, "-m", "agents.cli"]


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **environment(settings)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def answer(settings: Settings, *arguments: str) -> dict[str, Any]:
    """The one JSON line that a command prints."""
    ended = run(settings, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def histories() -> dict[str, list[str]]:
    """User → items: each user has five neighbouring items of a circle, so items have neighbours."""
    return {f"u{user}": [f"i{(user + step) % ITEMS}" for step in range(5)] for user in range(USERS)}


def write_files(folder: Path) -> tuple[Path, Path]:
    events, items = folder / "events.csv", folder / "items.jsonl"
    with events.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("user_id", "item_id", "timestamp"))
        for user, bought in histories().items():
            rows.writerows((user, item, 1_700_000_000 + place) for place, item in enumerate(bought))
    catalogue = [{"item_id": f"i{n}", "title": f"Mug {n}", "categories": ["cups"]} for n in range(ITEMS)]
    items.write_text("".join(json.dumps(entry) + "\n" for entry in catalogue))
    return events, items


def test_topics_are_made_once_and_checked(kafka: str, unique: str, tmp_path: Path) -> None:
    settings = broker_settings(kafka, unique, tmp_path)
    missing = run(settings, "topics", "check")
    assert missing.returncode == 2
    assert "profilestream topics create" in missing.stderr
    made = run(settings, "topics", "create")
    names = {topic.name for topic in build_topics(settings).all()}
    assert set(made.stdout.split()) - {"created"} == names
    assert run(settings, "topics", "create").stdout == "all topics were there\n"
    good = run(settings, "topics", "check")
    assert (good.returncode, good.stdout) == (0, "all topics are as they should be\n")


def test_without_workers_a_request_ends_with_a_hint(kafka: str, unique: str, tmp_path: Path) -> None:
    settings = broker_settings(kafka, unique, tmp_path)
    assert run(settings, "topics", "create").returncode == 0
    ended = run(settings, "request", "u1", "--timeout", "1")
    assert ended.returncode == 4
    assert "profilestream worker" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments", [["request", "u"], ["watch"], ["profile", "u"], ["similar", "i"], ["replay", "sample"]], ids=" ".join
)
def test_missing_topics_are_named(arguments: list[str], kafka: str, unique: str, tmp_path: Path) -> None:
    ended = run(broker_settings(kafka, unique, tmp_path), *arguments)
    assert ended.returncode in {2, 4}
    assert "profilestream topics create" in ended.stderr
    assert "Traceback" not in ended.stderr


def settled(settings: Settings) -> bool:
    """Whether the workers have absorbed all of the file."""
    topics = build_topics(settings)
    sources = [("profiles", topics.events), ("similarity", topics.cooccurrence), ("scorer", topics.candidates)]
    published = newest(read_all(settings, topics.neighbours.name))
    return len(published) == ITEMS and all(drained(settings, worker, topic) for worker, topic in sources)


@pytest.fixture(scope="module")
def workers(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Workers that have absorbed a small file; the commands only look, so tests share them."""
    folder = tmp_path_factory.mktemp("commands")
    settings = broker_settings(kafka, f"commands-{uuid.uuid4().hex[:8]}-", folder / "data", gather_s=0.1)
    assert run(settings, "topics", "create").returncode == 0
    events, items = write_files(folder)
    with cluster(settings, folder) as made:
        for kind in ("profiles", "similarity", "scorer"):
            made.start(kind)
        sent = run(settings, "replay", str(events), "--items", str(items))
        assert sent.returncode == 0, sent.stderr
        assert f"{USERS * 5} events delivered" in sent.stderr
        made.wait_until(lambda: settled(settings), "neighbours of every item")
        yield made


@pytest.fixture
def settings(workers: Cluster) -> Settings:
    return workers.settings


def test_a_list_is_of_the_catalogue_and_without_what_the_user_has(settings: Settings) -> None:
    listed = answer(settings, "request", "u3", "--k", "4")
    items = [item["item_id"] for item in listed["items"]]
    assert len(set(items)) == len(items) == 4
    assert set(items) <= {f"i{n}" for n in range(ITEMS)} - set(histories()["u3"])
    assert all(item["reason"] and item["title"] == f"Mug {item['item_id'][1:]}" for item in listed["items"])
    assert listed["user_id"] == "u3"
    assert listed["triggers"] == [listed["recommendation_id"]]


def test_options_of_a_request_count(settings: Settings) -> None:
    free = answer(settings, "request", "u3", "--item", "i4", "--query", "mug", "--category", "cups")
    first = free["items"][0]["item_id"]
    without = answer(settings, "request", "u3", "--exclude", first)
    assert without["items"]
    assert first not in [item["item_id"] for item in without["items"]]
    assert answer(settings, "request", "u3", "--category", "plates")["items"] == []


def test_a_list_for_people_is_a_table(settings: Settings) -> None:
    ended = run(settings, "request", "u5", "--k", "2")
    assert ended.returncode == 0, ended.stderr
    assert "for u5" in ended.stdout
    assert "Mug" in ended.stdout


def test_a_deadline_that_passes_is_told(settings: Settings, workers: Cluster) -> None:
    ended = run(settings, "request", "u5", "--deadline-ms", "1", "--json")
    told = json.loads(ended.stdout)
    if ended.returncode:  # one millisecond is seldom enough, but may be
        assert (told["outcome"], told["user_id"]) == ("expired", "u5")
    else:
        assert told["items"]
    assert all(worker.process.poll() is None for worker in workers.workers)


def test_a_profile_is_the_history_that_was_sent(settings: Settings) -> None:
    held = answer(settings, "profile", "u7")
    assert list(held["contacts"]) == histories()["u7"]
    assert held["events"] == 5
    assert held["interests"].keys() == {"cups"}
    table = run(settings, "profile", "u7").stdout
    assert "history of u7 (5 items" in table
    assert "Mug 7" in table


def test_nothing_is_held_about_nobody(settings: Settings) -> None:
    ended = run(settings, "profile", "nobody")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "nothing is held" in ended.stderr
    assert run(settings, "profile", "nobody", "--json").returncode == 1


def test_neighbours_are_those_bought_together(settings: Settings) -> None:
    found = answer(settings, "similar", "i4", "--k", "2")
    assert {near["item_id"] for near in found["neighbours"]} == {"i3", "i5"}
    together = [user for user, bought in histories().items() if {"i4", "i5"} <= set(bought)]
    (one,) = [near for near in found["neighbours"] if near["item_id"] == "i5"]
    assert (one["users"], one["title"]) == (len(together), "Mug 5")
    assert found["users"] == sum("i4" in bought for bought in histories().values())
    assert "Mug 4" in run(settings, "similar", "i4").stdout


def test_an_unknown_item_has_no_neighbours(settings: Settings) -> None:
    ended = run(settings, "similar", "unknown")
    assert ended.returncode == 1
    assert "no neighbours" in ended.stderr


def test_watching_sees_the_next_list_of_its_user(settings: Settings) -> None:
    watching = subprocess.Popen(
        [*COMMAND, "watch", "u9", "--count", "1", "--json"],
        env={**os.environ, **environment(settings)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        asked: set[str] = set()
        while watching.poll() is None and len(asked) < 30:  # it sees lists from the moment on when it reads
            answer(settings, "request", "u8")
            asked.add(answer(settings, "request", "u9")["recommendation_id"])
        output, errors = watching.communicate(timeout=TIMEOUT_S)
    finally:
        if watching.poll() is None:
            watching.kill()
            watching.communicate()
    assert watching.returncode == 0, errors
    (line,) = output.splitlines()
    seen = json.loads(line)
    assert seen["user_id"] == "u9"
    assert seen["recommendation_id"] in asked
