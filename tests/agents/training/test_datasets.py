"""Data sets as examples: parts that share nothing, users found by their titles, cells of workbooks."""

import zipfile
from pathlib import Path

import pytest

from agents.errors import SetupError
from agents.training.datasets import first, load_parts, same_users
from agents.training.xlsx import read_sheet
from models.bert.training.examples import Example

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    '<row><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>plain</t></is></c></row>'
    '<row><c r="A2"><v>3</v></c><c r="B2" t="s"><v>1</v></c></row></sheetData></worksheet>'
)
STRINGS = (
    '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>标题</t></si>'
    "<si><r><t>two </t></r><r><t>runs</t></r></si></sst>"
)


def workbook(path: Path, **parts: str) -> Path:
    with zipfile.ZipFile(path, "w") as book:
        for name, text in {"sharedStrings": STRINGS, "worksheets/sheet1": SHEET, **parts}.items():
            book.writestr(f"xl/{name}.xml", text)
    return path


def test_cells_are_read_by_their_references(tmp_path: Path) -> None:
    assert read_sheet(workbook(tmp_path / "a.xlsx")) == [["标题", "", "plain"], ["3", "two runs", ""]]


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"no \.xlsx workbook"):
        read_sheet(tmp_path / "a.xlsx")
    with pytest.raises(ValueError, match="entities"):
        read_sheet(workbook(tmp_path / "b.xlsx", sharedStrings="<!DOCTYPE x>" + STRINGS))


def test_windows_of_one_user_are_found() -> None:
    titles = [f"title {number}" for number in range(30)]
    moving = [frozenset(titles[start : start + 10]) for start in (0, 1, 3, 20)]
    users = same_users(moving)
    assert users[0] == users[1] == users[2] != users[3]


def test_an_unknown_name_is_answered_with_the_known_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="neither a file nor one of outcomes, tallrec"):
        load_parts("no-such-set")
    monkeypatch.delenv("PROFILESTREAM_DATA", raising=False)
    with pytest.raises(SetupError, match="PROFILESTREAM_DATA, which is not set"):
        load_parts("banking77")
    monkeypatch.setenv("PROFILESTREAM_DATA", str(tmp_path))
    with pytest.raises(SetupError, match="banking77 cannot be read"):
        load_parts("banking77")
    with pytest.raises(SetupError, match=r"none\.jsonl cannot be read"):
        load_parts(str(tmp_path / "none.jsonl"))


def test_a_part_is_drawn_by_seed_and_keeps_its_order() -> None:
    examples = [Example((f"{number}",), "x") for number in range(20)]
    drawn = first(examples, 5)
    assert drawn == first(examples, 5)
    assert [int(one.texts[0]) for one in drawn] == sorted(int(one.texts[0]) for one in drawn)
    assert first(examples, 0) == first(examples, 99) == examples


def test_a_small_set_of_each_shape_is_split_without_overlap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "financial_phrasebank"
    folder.mkdir()
    lines = ["Sentiment,News Headline", *(f"neutral,sentence {number % 40}" for number in range(50))]
    (folder / "all-data.csv").write_text("\n".join(lines), encoding="latin-1")
    monkeypatch.setenv("PROFILESTREAM_DATA", str(tmp_path))
    train, test = load_parts("financial_phrasebank")
    assert len(train) + len(test) == 50
    assert not {one.texts for one in train} & {one.texts for one in test}
