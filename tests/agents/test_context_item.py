"""The item on the page of a request: what the user did to it is known if it is in the history."""

from pathlib import Path
from typing import Any

import pytest

from agents.knowledge import Knowledge
from agents.lists import CandidatesWriter
from agents.packed import Candidates
from agents.records import Context, Request
from agents.runtime.metrics import Metrics
from agents.runtime.transaction import Transaction
from agents.settings import read_settings
from agents.users import Folded
from models.history import History
from models.profile import Profile, pack_contact
from tests.agents.runtime.test_positions import Rec
from tests.agents.test_intake import NOW_MS, Sent

RECENT = 2


@pytest.fixture
def knowledge(tmp_path: Path) -> Knowledge:
    made = Knowledge(read_settings(data_dir=tmp_path, recent_items=RECENT))
    made.items.numbers(["old", "cup", "mug", "new"])
    return made


def asked(knowledge: Knowledge, tmp_path: Path, item: str) -> tuple[Candidates, list[float] | None]:
    """What is sent for a request on the page of an item, and the user's ratings of the recent items."""
    writer = CandidatesWriter(read_settings(data_dir=tmp_path, recent_items=RECENT), knowledge)
    contacts = History.of(
        {
            "old": pack_contact(1, 4.0, rated=True),
            "cup": pack_contact(2, 5.0),
            "mug": pack_contact(3, 2.0, rated=True),
        }
    )
    request = Request("u", "r", context=Context(item_id=item))
    folded = Folded("u", Profile(contacts=contacts), requests=[(Rec("requests", 0, 7, NOW_MS), request)])
    producer: Any = Sent()
    writer.want(0, b"u", folded)
    given = writer._wanted(writer._asked[0]).wanted.ratings
    ((_, _, candidates),) = writer.take(Transaction(producer, None, ("dead-letters", 4), Metrics(), NOW_MS))
    return candidates, None if given is None else given.tolist()


@pytest.mark.parametrize(
    ("item", "recent", "actions", "given"),
    [
        ("new", ["new", "mug", "cup"], "lrb", [None, 2.0, None]),
        ("cup", ["cup", "mug", "cup"], "brb", [None, 2.0, None]),
        ("mug", ["mug", "mug", "cup"], "rrb", [None, 2.0, None]),
        ("old", ["old", "mug", "cup"], "rrb", [4.0, 2.0, None]),
    ],
)
def test_an_item_of_the_history(
    knowledge: Knowledge, tmp_path: Path, item: str, recent: list[str], actions: str, given: list[float | None]
) -> None:
    candidates, ratings = asked(knowledge, tmp_path, item)
    assert (candidates.recent, candidates.actions) == (recent, actions)
    assert ratings == pytest.approx([float("nan") if one is None else one for one in given], nan_ok=True)
