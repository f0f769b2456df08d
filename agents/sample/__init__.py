"""The bundled sample: a year of purchases in a shop for gifts, with its catalogue. See README.md beside this file."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

EVENTS_FILE = "events.csv.gz"
ITEMS_FILE = "items.jsonl.gz"


def events() -> Iterator[dict[str, Any]]:
    """All purchases in the order of time, each as the value of a record of the topic `events`."""
    for row in csv.DictReader(io.StringIO(_text(EVENTS_FILE))):
        yield {**row, "timestamp": int(row["timestamp"])}


def items() -> list[dict[str, Any]]:
    """The catalogue, by item id, each entry as the value of a record of the topic `items`."""
    return [json.loads(line) for line in _text(ITEMS_FILE).splitlines()]


def _text(name: str) -> str:
    return gzip.decompress(files(__name__).joinpath(name).read_bytes()).decode()
