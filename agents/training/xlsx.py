"""Cells of an .xlsx workbook's first sheet as text: a zip of XML (ECMA-376, part 1), read with what Python brings."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
MOST_BYTES = 200 * 1024**2
"""Of one part, unpacked: a small file that says it is larger is not opened."""


def read_sheet(path: Path) -> list[list[str]]:
    """Rows of the first sheet, all as long as the longest. Raises ValueError or OSError if it is no workbook."""
    try:
        with zipfile.ZipFile(path) as book:
            names = set(book.namelist())
            strings = list(_strings(_part(book, "xl/sharedStrings.xml"))) if "xl/sharedStrings.xml" in names else []
            sheet = _part(book, "xl/worksheets/sheet1.xml")
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as exc:
        raise ValueError(f"{path} is no .xlsx workbook: {exc}") from exc
    rows = [_row(row, strings) for row in sheet.iter(f"{SPACE}row")]
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def _part(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > MOST_BYTES:
        raise ValueError(f"{name} is larger than {MOST_BYTES} bytes")
    text = book.read(name)
    if b"<!DOCTYPE" in text[:1024]:
        raise ValueError(f"{name} declares entities, which workbooks do not need")
    return ElementTree.fromstring(text)


def _strings(root: ElementTree.Element) -> Iterator[str]:
    for entry in root.iter(f"{SPACE}si"):
        yield "".join(part.text or "" for part in entry.iter(f"{SPACE}t"))


def _row(row: ElementTree.Element, strings: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{SPACE}c"):
        place = _column(cell.get("r", "")) if cell.get("r") else len(cells)
        cells += [""] * (place - len(cells))
        value = cell.find(f"{SPACE}v")
        if cell.get("t") == "inlineStr":
            cells.append("".join(part.text or "" for part in cell.iter(f"{SPACE}t")))
        elif value is None or value.text is None:
            cells.append("")
        else:
            cells.append(strings[int(value.text)] if cell.get("t") == "s" else value.text)
    return cells


def _column(reference: str) -> int:
    """Of a reference such as AB12, from 0."""
    letters = re.match("[A-Z]+", reference)
    number = 0
    for letter in letters.group() if letters else "A":
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
