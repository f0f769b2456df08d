"""`profilestream train outcomes`: what users took of their lists makes a cross-encoder that a scorer can use."""

import json
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.records import Item, Outcome, RankedItem, Recommendation, encode_json
from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.scorer_support import send_items
from tests.broker.support import broker_settings, send
from tests.broker.test_commands import run

pytest.importorskip("torch")
from models.bert.folder import find_model
from models.bert.probe import FILE
from tests.models.bert.tiny import make_model

pytestmark = pytest.mark.broker

USERS = 60
TITLES = {"mug": "red mug", "pot": "tea pot", "lamp": "blue lamp", "cup": "green cup", "bare": ""}


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(kafka, unique, tmp_path / "data")
    create_topics(made)
    send_items(made, [Item(item_id=item, title=title) for item, title in TITLES.items()])
    return made


def send_lists(settings: Settings, users: int) -> None:
    """Every user had to do with the mug and took the second of four items; the last was never looked at."""
    topics = build_topics(settings)
    lists: list[tuple[bytes | None, bytes | None]] = []
    outcomes: list[tuple[bytes | None, bytes | None]] = []
    for number in range(users + 2):
        user, name = f"user-{number}", f"requests-0-{number}"
        places = [RankedItem(item, 1.0, "", title=TITLES[item]) for item in ("lamp", "pot", "bare", "cup")]
        made = Recommendation(name, user, places, [name], 1.0, recent=["mug", "bare"])
        kinds = {"lamp": "skipped", "pot": "bought", "bare": "skipped", "cup": "skipped"}
        key = user.encode()
        lists.append((key, encode_json(made)))
        for item, kind in kinds.items():
            outcomes.append((key, encode_json(Outcome(user, name, kind, 2.0, item))))  # type: ignore[arg-type]
        of_an_old_list = Outcome(user, "requests-9-9", "bought", 2.0, "pot")
        outcomes.append((key, encode_json(of_an_old_list)))
    # The last two do not agree any more, or are erased.
    refused = b'{"user_id": "user-%d", "consent": false}' % users
    send(settings, topics.users, [(b"user-%d" % users, refused), (b"user-%d" % (users + 1), None)])
    send(settings, topics.recommendations, lists)
    send(settings, topics.outcomes, outcomes)


def test_a_model_is_trained_from_what_users_took(settings: Settings, tmp_path: Path) -> None:
    send_lists(settings, USERS)
    folder, data = tmp_path / "reader", tmp_path / "pairs.jsonl"
    options = ("--model", str(make_model(tmp_path / "parent", labels=())), "--epochs", "1", "--device", "cpu")
    done = run(settings, "train", "outcomes", "--out", str(folder), "--save-data", str(data), *options)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    expected = [
        {"text_a": "red mug", "text_b": item, "label": label, "list": f"user {number}"}
        for number in range(USERS)
        for item, label in (("blue lamp", "no"), ("tea pot", "yes"))
    ]
    assert sorted(rows, key=lambda row: (int(row["list"][5:]), row["text_b"])) == expected, "no id of a user gets out"
    assert find_model(str(folder)).path == folder
    assert (folder / FILE).exists()


def test_too_few_are_refused_with_what_is_missing(settings: Settings, tmp_path: Path) -> None:
    send_lists(settings, 3)
    done = run(settings, "train", "outcomes", "--out", str(tmp_path / "reader"))
    assert done.returncode == 2
    assert "hold 3 items with a title that a user with titles took" in done.stderr
