"""The page of an evaluation is well-formed, whole and fetches nothing."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from agents.cli import app
from agents.errors import SetupError
from agents.evaluation.charts import line_chart


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "families & ratings.csv"
    rows = [
        f"u{user},{user % 5}-{(user + n) % 7},{5 if user % 2 == n % 2 else 1},{100 * n + user}"
        for n in range(5)
        for user in range(60)
    ]
    path.write_text("user_id,item_id,rating,timestamp\n" + "\n".join(rows))
    return path


def made(path: Path, *arguments: str) -> tuple[str, dict[str, object]]:
    html = path.parent / "report.html"
    ran = CliRunner().invoke(app, ["evaluate", str(path), *arguments, "--html", str(html), "--json"])
    assert ran.exit_code == 0, ran.output
    return html.read_text(encoding="utf-8"), json.loads(ran.stdout)


def test_lists_have_tables_and_both_charts(file: Path) -> None:
    text, told = made(file, "--against", "ease,sequential", "--train", "0.6")
    for wanted in ("families &amp; ratings.csv", "<tr class=ours>", "ease", "sequential rules", "New users", "Lorenz"):
        assert wanted in text
    assert text.count("<svg") == 2
    methods = told["methods"]
    assert isinstance(methods, dict)
    assert f"{methods['profilestream']['HR@10'][0]:.3f}" in text


@pytest.mark.parametrize("arguments", [["--split", "0.75", "--seeds", "2", "--against", "ease"], ["--ratings"]])
def test_splits_and_ratings_have_their_table(file: Path, arguments: list[str]) -> None:
    text, _ = made(file, *arguments)
    assert "random splits" in text
    assert ("÷ that of EASE" in text) == ("--split" in arguments)


def test_it_fetches_nothing(file: Path) -> None:
    text, _ = made(file, "--train", "0.6")
    assert not any(word in text for word in ("http:", "https:", "src=", "@import", "<script", "<link"))


def test_a_chart_is_well_formed_and_within_its_frame() -> None:
    chart = line_chart({"a < b": [(0, 0.1, 0.05), (1, 0.9, 0.2)], "none": []}, [(0, "x&y"), (1, "z")], "x", "y", True)
    root = ElementTree.fromstring(chart)
    heights = [float(value) for line in root.iter("line") for value in (line.get("y1"), line.get("y2")) if value]
    assert 0 <= min(heights) <= max(heights) <= 340
    assert [span.text or span[0].tail for span in root.iter("span")] == ["a < b", "none"]
    ElementTree.fromstring(line_chart({}, [], "x", "y", False))


def test_a_file_that_cannot_be_written_is_said(file: Path) -> None:
    ran = CliRunner().invoke(app, ["evaluate", str(file), "--ratings", "--html", str(file.parent / "no" / "x.html")])
    assert isinstance(ran.exception, SetupError)
    assert "--html" in str(ran.exception)
