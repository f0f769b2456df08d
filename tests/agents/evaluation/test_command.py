"""`profilestream evaluate`: figures as a table and as JSON, and errors that say how to mend them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.cli import app
from agents.errors import SetupError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Users who buy two things that belong together, one after the other."""
    path = tmp_path / "events.csv"
    rows = [f"u{user},{side}{user % 10},{2 * user + n}" for user in range(100) for n, side in enumerate(("l", "r"))]
    path.write_text("user_id,item_id,timestamp\n" + "\n".join(rows))
    return path


def test_json_and_table_tell_the_same(file: Path) -> None:
    ran = CliRunner().invoke(app, ["evaluate", str(file), "--k", "5", "--train", "0.5", "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert (told["trained"], told["tested"], told["compared"], told["items"]) == (100, 100, 50, 20)
    assert told["methods"]["profilestream"]["HR@5"] == [1.0, 0.0]
    assert told["methods"]["popular"]["HR@5"][0] < 1
    assert told["methods"]["profilestream"]["Recall@5"] == [1.0, 0.0]
    assert told["cold_users"] == {
        "1": {"events": 50, "HR@5": {name: figures["HR@5"] for name, figures in told["methods"].items()}}
    }
    assert list(told["cold_items"]) == ["older"]
    assert told["first_items"]["ahead_at"] == 1
    assert told["first_items"]["lead"]["1"][0] == pytest.approx(1 - told["methods"]["popular"]["HR@5"][0])
    table = CliRunner().invoke(app, ["evaluate", str(file), "--k", "5", "--train", "0.5"])
    assert table.exit_code == 0, table.output
    assert "1.000 ±.000" in table.stdout
    assert "50 of 100 events compared" in table.stdout
    assert "Ahead of popularity for sure (95 %) first at a history of 1" in table.stdout


def test_until_leaves_the_last_events_out(file: Path) -> None:
    ran = CliRunner().invoke(app, ["evaluate", str(file), "--train", "0.5", "--until", "0.8", "--json"])
    assert (json.loads(ran.stdout)["trained"], json.loads(ran.stdout)["tested"]) == (100, 60)


def test_a_variable_that_is_no_setting_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFILESTREAM_DIVERSTY", "0.5")
    ran = CliRunner().invoke(app, ["evaluate", str(file), "--train", "0.5", "--json"])
    assert "is PROFILESTREAM_DIVERSITY meant?" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["ml-1b"], "neither a file nor one of the data sets"),
        (["sample", "--items", "items.jsonl"], "leave --items out"),
        (["gone.csv"], "cannot read"),
        (["sample", "--train", "0.8", "--until", "0.5"], "leave no events"),
        (["sample", "--split", "1"], "holds nothing back"),
        (["sample", "--against", "svd"], "must be of popular, ease"),
    ],
)
def test_errors(arguments: list[str], why: str) -> None:
    ran = CliRunner().invoke(app, ["evaluate", *arguments])
    assert isinstance(ran.exception, SetupError)
    assert why in str(ran.exception)


def test_splits_are_told_beside_ease(tmp_path: Path) -> None:
    """Users who take four of the five items of a family."""
    path = tmp_path / "families.csv"
    rows = [f"u{user},{user % 10}-{(user + n) % 5},{100 * n + user}" for n in range(4) for user in range(100)]
    path.write_text("user_id,item_id,timestamp\n" + "\n".join(rows))
    arguments = ["evaluate", str(path), "--split", "0.5", "--seeds", "2", "--against", "ease"]
    ran = CliRunner().invoke(app, [*arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert (told["split"], told["users"]) == (0.5, [100, 100])
    assert told["methods"]["profilestream"]["Recall@10"][0] > 0.9
    assert len(told["nDCG@10_to_ease"]["runs"]) == 2
    table = CliRunner().invoke(app, arguments)
    assert "2 splits, 100 users" in table.stdout
    assert "nDCG@10 ÷ that of EASE" in table.stdout


def test_predicted_ratings_are_told(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    rows = [f"u{user},i{item},{5 if user % 2 == item % 2 else 1},{item}" for user in range(20) for item in range(10)]
    path.write_text("user_id,item_id,rating,timestamp\n" + "\n".join(rows))
    ran = CliRunner().invoke(app, ["evaluate", str(path), "--ratings", "--seeds", "2", "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert (told["ratings"], told["split"], len(told["runs"])) == (200, 0.75, 2)
    assert told["methods"]["items, baselines"]["RMSE"][0] < told["methods"]["baselines"]["RMSE"][0]
    table = CliRunner().invoke(app, ["evaluate", str(path), "--ratings", "--seeds", "2"])
    assert "200 ratings, 75% train, 2 splits" in table.stdout
