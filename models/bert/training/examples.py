"""Labelled texts and pairs of texts, read from files.

JSONL, one object a line, or CSV/TSV with a header: `text` and `label`, or `text_a` (the profile), `text_b` (the item)
and `label`; optional `list` names the ranked list, such as the user, that a pair belongs to. Other fields are ignored.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.bert.tokens import Texts

MOST_LABELS = 1_000
"""More different labels are a sign that the column is something else."""


class DataError(ValueError):
    """The examples cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Example:
    """One text or pair, its label's name, and the list it belongs to ('': none)."""

    texts: Texts
    label: str
    of_list: str = ""


def read_examples(path: Path) -> list[Example]:
    """All examples of a file. Raises DataError that names the line of the first bad one."""
    try:
        rows = list(_rows(path))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{path} cannot be read: {exc}") from exc
    examples = [_example(row, f"{path}, line {line}") for line, row in rows]
    if not examples:
        raise DataError(f"{path} holds no examples")
    if len({len(example.texts) for example in examples}) > 1:
        raise DataError(f"{path} holds both single texts and pairs")
    return examples


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write a file for `read_examples`. Raises DataError."""
    lines = []
    for one in examples:
        names = ("text",) if len(one.texts) == 1 else ("text_a", "text_b")
        row = {**dict(zip(names, one.texts, strict=True)), "label": one.label, "list": one.of_list}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as exc:
        raise DataError(f"{path} cannot be written: {exc.strerror}") from exc


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    kind = path.suffix.lower()
    if kind in (".csv", ".tsv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if kind == ".tsv" else ",")
            for row in reader:
                yield reader.line_num, row
        return
    if kind != ".jsonl":
        raise DataError(f"{path}: the name must end in .jsonl, .csv or .tsv")
    for line, text in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as exc:
            raise DataError(f"{path}, line {line} is no JSON: {exc}") from exc
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {line} is no JSON object")
        yield line, row


def _example(row: dict[str, Any], where: str) -> Example:
    names = ("text",) if row.get("text") is not None else ("text_a", "text_b")
    texts = tuple(row.get(name) for name in names)
    if not all(isinstance(text, str) for text in texts):
        raise DataError(f"{where} has neither `text` nor both `text_a` and `text_b`, as strings")
    label = row.get("label")
    if isinstance(label, bool) or not isinstance(label, str | int) or str(label).strip() == "":
        raise DataError(f"{where} has no `label`, a word or a whole number")
    of_list = row.get("list")
    return Example(tuple(map(str, texts)), str(label).strip(), "" if of_list is None else str(of_list))


def labels_of(examples: Iterable[Example]) -> list[str]:
    """The labels in order: numbers by value, words by alphabet, so that no, yes and 0, 1 end with the positive one.

    Raises DataError if there are fewer than two or too many.
    """
    found = sorted({example.label for example in examples}, key=_order)
    if not 2 <= len(found) <= MOST_LABELS:
        raise DataError(f"{len(found)} different labels, where 2 to {MOST_LABELS} are needed: {', '.join(found[:5])}")
    return found


def _order(label: str) -> tuple[float, str]:
    return (float(label), "") if label.lstrip("-").isdigit() else (float("inf"), label)


def numbers_of(examples: Sequence[Example], labels: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """The place of each example's label among `labels`. Raises DataError for a label that is not there."""
    places = {label: number for number, label in enumerate(labels)}
    unknown = Counter(example.label for example in examples if example.label not in places)
    if unknown:
        told = ", ".join(f"{label!r} ({count}×)" for label, count in unknown.most_common(5))
        raise DataError(f"labels that the model does not have: {told}; it has {', '.join(labels[:20])}")
    return np.array([places[example.label] for example in examples], np.int64)


def held_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Examples to learn from and to validate with; lists stay whole. Drawn by seed, in the given order.

    Raises DataError if there is only one list.
    """
    keys = [example.of_list or f"#{number}" for number, example in enumerate(examples)]
    names = list(dict.fromkeys(keys))
    random = np.random.default_rng(seed)
    out = {names[number] for number in random.permutation(len(names))[: max(1, round(share * len(names)))].tolist()}
    parts: tuple[list[Example], list[Example]] = ([], [])
    for example, key in zip(examples, keys, strict=True):
        parts[key in out].append(example)
    if not all(parts):
        raise DataError("one list, or one row, cannot be divided: give --validation FILE")
    return parts


def fingerprint(examples: Iterable[Example]) -> str:
    """SHA-256 over all examples in their order: what a training was given."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps([example.texts, example.label, example.of_list]).encode() + b"\n")
    return digest.hexdigest()
