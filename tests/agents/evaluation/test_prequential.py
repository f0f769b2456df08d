"""Events played through the agents: what a list knows, when it knows it, and what is counted."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset, load, load_file
from agents.evaluation.events import EvaluationEvent, from_rows
from agents.evaluation.pipeline import Pipeline
from agents.evaluation.prequential import Report, prequential
from agents.settings import read_settings
from models.accuracy import NOT_IN_LIST

NOW_MS = 1_790_000_000_000


def bought(*pairs: tuple[str, str], basket: str = "") -> list[EvaluationEvent]:
    return [
        EvaluationEvent(user, item, "purchase", NOW_MS + 1_000 * number, basket=basket)
        for number, (user, item) in enumerate(pairs)
    ]


def pairs_of(users: int) -> list[tuple[str, str]]:
    """Every user buys two items that belong together, one of ten couples; of each user one after the other."""
    return [(f"u{user}", f"{side}{user % 10}") for user in range(users) for side in ("left", "right")]


def run(events: Sequence[EvaluationEvent], train: float = 0.5, k: int = 10) -> Report:
    seen: list[int] = []
    report = prequential(events, Pipeline(read_settings(), NOW_MS), k, train, seen.append)
    assert sum(seen) == len(events)
    return report


def test_what_was_bought_together_comes_first() -> None:
    report = run(bought(*pairs_of(200)))
    assert len(report.lists.ranks) == 100, "the second purchase of each user counts, the first has no history"
    assert set(report.lists.ranks) == {0}
    assert max(report.popular.ranks) > 0
    assert (report.trained, report.tested, report.items) == (200, 200, 20)


def test_an_event_again_is_not_compared() -> None:
    report = run(bought(*pairs_of(20), *[("u0", "left0"), ("u0", "right0")] * 3, ("u0", "left1")), train=0.8)
    assert report.lists.users == ["u18", "u19", "u0"], "new to them: their second item, and left1"


def test_a_new_item_is_a_miss() -> None:
    assert run(bought(*pairs_of(20), ("u0", "never-seen")), train=0.98).lists.ranks == [NOT_IN_LIST]
    assert run(bought(*pairs_of(20), ("u0", "never-seen")), train=0.98).popular.ranks == [NOT_IN_LIST]


def test_what_is_in_one_basket_does_not_tell_of_itself() -> None:
    before = bought(*pairs_of(100))
    basket = bought(("u1", "left7"), ("u1", "right7"), basket="one")
    alone = [*before, *bought(("u1", "left7"), ("u1", "right7"))]
    assert run(alone, train=200 / 202).lists.ranks[1] == 0, "with left7 taken in, right7 is next"
    together = run([*before, *basket], train=200 / 202)
    assert len(together.lists.ranks) == 2
    assert together.lists.ranks[1] != 0


def test_lists_have_none_of_what_the_user_has() -> None:
    pipeline = Pipeline(read_settings(), NOW_MS)
    pipeline.absorb([event.record() for event in bought(*pairs_of(50))], NOW_MS)
    pipeline.settle()
    (made,) = pipeline.ask(["u3"], 20)
    items = [item.item_id for item in made.items]
    assert len(items) == 18
    assert not {"left3", "right3"} & set(items)
    assert made.items[0].reason
    assert pipeline.rejected.total() == 0


def test_the_catalogue_gives_titles_and_takes_what_is_sold_out() -> None:
    pipeline = Pipeline(read_settings(), NOW_MS)
    pipeline.put_items(
        [
            {"item_id": f"{side}{number}", "title": f"The {side} one", "available": number != 5}
            for side in ("left", "right")
            for number in range(10)
        ]
    )
    pipeline.absorb([event.record() for event in bought(*pairs_of(50), ("new", "left5"), ("new", "left4"))], NOW_MS)
    pipeline.settle()
    (made,) = pipeline.ask(["new"], 20)
    assert {item.title for item in made.items} == {"The left one", "The right one"}
    assert made.items[0].item_id == "right4"
    assert "right5" not in {item.item_id for item in made.items}


def test_bad_events_are_counted_as_a_worker_would() -> None:
    pipeline = Pipeline(read_settings(), NOW_MS)
    pipeline.absorb([(b"u", b"{"), (b"u", b'{"user_id": "v", "event_type": "view", "item_id": "i"}')], NOW_MS)
    assert pipeline.rejected == {"bad_json": 1, "wrong_key": 1}


def test_the_bundled_sample() -> None:
    sample = load("sample")
    assert [event.at_ms for event in sample.events] == sorted(event.at_ms for event in sample.events)
    report = prequential(sample.events[:6_000], pipeline_of(sample), 20, 0.8, lambda _: None)
    assert report.lists.hit_rate(10).value > 3 * report.popular.hit_rate(10).value
    assert 0 < report.exposure.gini(report.items) < 1


def pipeline_of(dataset: Dataset) -> Pipeline:
    made = Pipeline(read_settings(), dataset.events[0].at_ms)
    made.put_items(dataset.items)
    return made


def test_a_file_is_sorted_by_time_and_seconds_are_drawn_alike(tmp_path: Path) -> None:
    rows = [{"user_id": f"u{n}", "item_id": "i", "timestamp": 100 - n // 10} for n in range(100)]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    first, again = load_file(path).events, load_file(path).events
    assert first == again
    assert [event.at_ms for event in first] == sorted(event.at_ms for event in first)
    assert first != sorted(from_rows(rows), key=lambda event: event.at_ms), "the order of the file says nothing"


@pytest.mark.parametrize("row", [{"item_id": "i", "timestamp": 1}, {"user_id": "u", "item_id": "i", "timestamp": "x"}])
def test_a_row_that_lacks_what_is_needed_is_named(row: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps({"user_id": "u", "item_id": "i", "timestamp": 1}) + "\n" + json.dumps(row))
    with pytest.raises(SetupError, match=r"row 2: .*user_id, item_id and timestamp"):
        load_file(path)


def test_a_data_set_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="neither a file nor one of the data sets"):
        load("ml-1b")
    monkeypatch.delenv("PROFILESTREAM_DATA", raising=False)
    with pytest.raises(SetupError, match="set PROFILESTREAM_DATA"):
        load("ml-100k")
    monkeypatch.setenv("PROFILESTREAM_DATA", str(tmp_path))
    with pytest.raises(SetupError, match=r"u\.data is missing"):
        load("ml-100k")
