"""`train` and `evaluate-model` as they are given on the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("torch")

from agents.cli import app
from agents.errors import SetupError
from tests.models.bert.tiny import make_model

OPTIONS = ("--epochs", "3", "--batch", "8", "--rate", "0.003", "--max-tokens", "24", "--device", "cpu")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return make_model(tmp_path / "parent", (), initializer_range=0.1)


def pairs(path: Path, count: int) -> Path:
    rows = [
        {"text_a": "red", "text_b": f"{colour} mug", "label": "yes" if colour == "red" else "no", "list": f"u{at // 4}"}
        for at, colour in enumerate(["red", "blue"] * (count // 2))
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_a_model_is_trained_measured_and_described(parent: Path, tmp_path: Path) -> None:
    out, data = tmp_path / "out", pairs(tmp_path / "pairs.jsonl", 80)
    result = run("train", data, "--out", out, "--model", parent, *OPTIONS, "--tensorboard", tmp_path / "curves")
    assert result.exit_code == 0, result.output
    assert "held-out rows" in result.output
    card = json.loads((out / "model.json").read_text())
    assert (card["task"], card["labels"], card["parent"]["name"]) == ("pairs", ["no", "yes"], "parent")
    assert card["data"]["train"] == 72
    assert card["validation"]["auc"] > 0.9
    assert list((tmp_path / "curves").iterdir())

    result = run("evaluate-model", out, data, "--device", "cpu", "--json")
    told = json.loads(result.stdout)
    assert told["auc"] > 0.9
    assert told["lists"] == 20
    assert json.loads((out / "evaluation" / "pairs.json").read_text()) == told
    assert "precision" in (out / "evaluation" / "pairs.txt").read_text()
    assert "<svg" in (out / "evaluation" / "pairs.html").read_text()

    again = run("train", data, "--out", out, "--model", parent, *OPTIONS)
    assert isinstance(again.exception, SetupError)
    assert "already holds a model" in str(again.exception)


def test_labels_that_the_model_does_not_have_are_named(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    (tmp_path / "other.jsonl").write_text('{"text": "red", "label": "maybe"}\n')
    result = run("evaluate-model", model, tmp_path / "other.jsonl")
    assert isinstance(result.exception, SetupError)
    assert "'maybe' (1×); it has no, yes" in str(result.exception)


def test_an_evaluation_does_not_change_the_version(tmp_path: Path) -> None:
    model, data = make_model(tmp_path / "model"), pairs(tmp_path / "pairs.jsonl", 8)
    versions = [json.loads(run("evaluate-model", model, data, "--json").stdout)["model"] for _ in range(2)]
    assert versions[0] == versions[1]
