"""Public data sets as events and catalogue entries.

Where they may not be handed on, they are looked for in the folder that `PROFILESTREAM_DATA` names, each in a folder of
its own, as their publishers packed them.

| name                 | files                                                   |
|----------------------|---------------------------------------------------------|
| sample               | bundled: Online Retail, see `agents/sample`             |
| ml-100k              | ml-100k/u.data, u.item                                  |
| ml-latest-small      | ml-latest-small/ratings.csv, movies.csv                 |
| online_retail        | online_retail/online_retail.parquet                     |
| online_retail-file   | the same, in the order of the file                      |
| online_retail-basket | the same, lists change only after a whole invoice       |
| amazon_giftcards     | amazon_giftcards/Gift_Cards_5.json.gz, meta_….json.gz   |
| amazon_office        | amazon_office/Office_Products.{valid,test}.csv, .item.json |
"""

import ast
import csv
import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents import sample
from agents.errors import RecordError, SetupError
from agents.evaluation.events import SEED, EvaluationEvent, from_rows, in_time_order
from agents.records import Event, read_catalogue
from agents.replay import Rows
from agents.settings import read_settings

VARIABLE = "PROFILESTREAM_DATA"
UNIX_TIME = "unixReviewTime"
GENRES = 5
"""Columns of `u.item` before the flags of the genres."""
GENRE_NAMES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """Events in the order in which they count, and what is known of the items."""

    name: str
    events: list[EvaluationEvent]
    items: list[Row]


def load(name: str) -> Dataset:
    """The data set of this name. Raises `SetupError` if it is unknown or not there."""
    loader = LOADERS.get(name)
    if loader is None:
        raise SetupError(f"{name}: neither a file nor one of the data sets {', '.join(LOADERS)}")
    try:
        return loader(name)
    except FileNotFoundError as exc:
        raise SetupError(
            f"data set {name}: {exc.filename} is missing. Set {VARIABLE} to the folder that holds the data sets, each "
            "in a folder of its name"
        ) from exc


def load_file(path: Path, items: Path | None = None) -> Dataset:
    """Events of a file, JSONL, CSV or Parquet, sorted by time. Raises `SetupError`, also for a row that is bad."""
    try:
        events = in_time_order(from_rows(_good(Rows(path))))
    except SetupError as exc:
        raise SetupError(f"{path}: {exc}") from exc
    return Dataset(path.name, events, _entries(items) if items is not None else [])


def _entries(path: Path) -> list[Row]:
    """Catalogue entries of a file. Raises `SetupError` for one that a worker would refuse."""
    entries = []
    for number, row in enumerate(_good(Rows(path)), 1):
        entry = {**row, "item_id": str(row.get("item_id", ""))}
        try:
            read_catalogue(entry["item_id"].encode(), json.dumps(entry).encode())
        except RecordError as exc:
            raise SetupError(f"{path}: row {number}: {exc}") from exc
        entries.append(entry)
    return entries


def _good(rows: Rows) -> Iterator[Row]:
    """All rows; raises `SetupError` at the end if some could not be read."""
    yield from rows
    if rows.bad:
        raise SetupError(f"{rows.bad} rows cannot be read, first {rows.bad_lines[0]}")


def _folder(name: str) -> Path:
    folder = read_settings().data
    if folder is None:
        raise SetupError(f"data set {name}: set {VARIABLE} to the folder that holds the data sets")
    return folder / name


def _sample(name: str) -> Dataset:
    return Dataset(name, in_time_order(from_rows(sample.events())), sample.items())


def _ml_100k(name: str) -> Dataset:
    folder = _folder(name)
    with (folder / "u.data").open() as lines:
        fields = (line.split() for line in lines)
        rows = [dict(zip(("user_id", "item_id", "rating", "timestamp"), row, strict=True)) for row in fields]
    items = []
    with (folder / "u.item").open(encoding="latin-1") as lines:
        for line in lines:
            number, title, *rest = line.rstrip("\n").split("|")
            flags = rest[GENRES - 2 :]
            genres = [genre for genre, flag in zip(GENRE_NAMES, flags, strict=True) if flag == "1"]
            items.append({"item_id": number, "title": title, "categories": genres})
    return Dataset(name, in_time_order(from_rows(rows)), items)


def _ml_latest(name: str) -> Dataset:
    folder = _folder(name)
    names = {"userId": "user_id", "movieId": "item_id"}
    with (folder / "ratings.csv").open() as lines:
        rows = [{names.get(key, key): value for key, value in row.items()} for row in csv.DictReader(lines)]
    with (folder / "movies.csv").open() as lines:
        items = [
            {"item_id": row["movieId"], "title": row["title"], "categories": _genres(row["genres"])}
            for row in csv.DictReader(lines)
        ]
    return Dataset(name, in_time_order(from_rows(rows)), items)


def _genres(text: str) -> list[str]:
    return [] if text.startswith("(") else text.split("|")


def _online_retail(name: str) -> Dataset:
    path = _folder("online_retail") / "online_retail.parquet"
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    with_basket, rows, titles = name.endswith("-basket"), [], {}
    for row in Rows(path):
        if row["CustomerID"]:  # lines without a customer have 0
            at = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC).timestamp()
            event = {"user_id": str(int(row["CustomerID"])), "item_id": row["StockCode"], "timestamp": at}
            rows.append({**event, "basket": str(row["InvoiceNo"]) if with_basket else ""})
            titles[row["StockCode"]] = row["Description"].strip()
    events = from_rows(rows) if name.endswith("-file") else in_time_order(from_rows(rows))
    return Dataset(name, events, [{"item_id": item, "title": title[:200]} for item, title in titles.items()])


def _giftcards(name: str) -> Dataset:
    folder = _folder(name)
    rows = [
        {"user_id": one["reviewerID"], "item_id": one["asin"], "rating": one["overall"], "timestamp": one[UNIX_TIME]}
        for one in _json_lines(folder / "Gift_Cards_5.json.gz")
    ]
    items = {one["asin"]: one for one in _json_lines(folder / "meta_Gift_Cards.json.gz")}
    catalogue = [
        {"item_id": item, "title": one["title"], "description": " ".join(one["description"]), "tags": _tags(one)}
        for item, one in items.items()
    ]
    return Dataset(name, in_time_order(from_rows(rows)), catalogue)


def _tags(one: Row) -> list[str]:
    return [one["brand"]] if one["brand"] else []


def _json_lines(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _office(name: str) -> Dataset:
    """The set has sequences without times: they are interleaved as drawn with a fixed seed."""
    folder, sequences = _folder(name), dict[str, list[str]]()
    for part in ("valid", "test"):
        with (folder / f"Office_Products.{part}.csv").open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                sequence = [*map(str, ast.literal_eval(row["history_item_id"])), row["item_id"]]
                if len(sequence) > len(sequences.get(row["user_id"], ())):
                    sequences[row["user_id"]] = sequence
    draw = random.Random(SEED)
    placed = [
        (at, user, item)
        for user, items in sequences.items()
        for at, item in zip(sorted(draw.random() for _ in items), items, strict=True)
    ]
    events = [
        EvaluationEvent(Event(user, "purchase", item, float(number)), 1_000 * number)
        for number, (_, user, item) in enumerate(sorted(placed))
    ]
    entries = json.loads((folder / "Office_Products.item.json").read_text(encoding="utf-8"))
    items = [{"item_id": item, "title": one["title"]} for item, one in entries.items()]
    return Dataset(name, events, items)


LOADERS: dict[str, Callable[[str], Dataset]] = {
    "sample": _sample,
    "ml-100k": _ml_100k,
    "ml-latest-small": _ml_latest,
    "online_retail": _online_retail,
    "online_retail-file": _online_retail,
    "online_retail-basket": _online_retail,
    "amazon_giftcards": _giftcards,
    "amazon_office": _office,
}
