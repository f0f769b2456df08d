"""How dead letters look in a terminal and as JSON. They hold whatever came in: nothing of it may steer the terminal."""

import base64
import time
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from agents.dead_letters import Letter

PREVIEW = 80
WHOLE = 4_000
"""Characters of a value in a table of letters, and of a letter that is shown in full."""
TEXTS = ("topic", "reason", "detail", "sha256", "traceback")
NUMBERS = ("partition", "offset", "timestamp_ms", "failed_at_ms", "length", "key_length", "headers_left_out")


def safe_text(value: bytes | None, most: int) -> str:
    """Bytes for a terminal: what is no printable text is escaped, and the rest is cut."""
    if value is None:
        return "(null)"
    text = value[: 4 * most].decode(errors="backslashreplace")
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:most])
    return shown if len(text) <= most and len(value) <= 4 * most else f"{shown}… ({len(value):,} bytes)"


def _when(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms / 1000))


def _place(letter: Letter) -> str:
    return f"{letter.topic}-{letter.headers.get('partition', '?')}-{letter.headers.get('offset', '?')}"


def letters_table(letters: Sequence[Letter]) -> Table:
    """Letters, a line each; the column of what became of them only where something did."""
    settled = any(letter.settled for letter in letters)
    table = Table(box=SIMPLE_HEAD)
    for column in (
        "letter",
        "put aside (UTC)",
        "reason",
        "record",
        "value",
        "detail",
        *(["settled"] if settled else []),
    ):
        table.add_column(column, overflow="fold")
    for letter in letters:
        cells = [letter.name, _when(letter.record.timestamp), letter.reason, _place(letter)]
        cells += [safe_text(letter.record.value, PREVIEW), letter.headers.get("detail", "")]
        cells += [letter.settled] if settled else []
        table.add_row(*(Text(safe_text(cell.encode(), 2 * PREVIEW)) for cell in cells))
    return table


def letter_table(letter: Letter) -> Table:
    """One letter with all that it says."""
    record = letter.record
    table = Table(title=f"letter {letter.name}", title_justify="left", show_header=False)
    rows = {name: safe_text(value.encode(), WHOLE) for name, value in letter.headers.items() if name != "traceback"}
    rows |= {f"header {name}": safe_text(value, PREVIEW) for name, value in letter.original_headers}
    rows |= {"key": safe_text(record.key, WHOLE), "value": safe_text(record.value, WHOLE)}
    if traceback := letter.headers.get("traceback"):
        rows["traceback"] = "\n".join(safe_text(line.encode(), WHOLE) for line in traceback.splitlines())
    if letter.settled:
        rows["settled"] = safe_text(letter.settled.encode(), PREVIEW)
    for name, text in rows.items():
        table.add_row(Text(safe_text(name.encode(), PREVIEW)), Text(text))
    return table


def letter_json(letter: Letter) -> dict[str, Any]:
    """One letter for scripts."""
    record = letter.record
    return {
        "letter": letter.name,
        **{name: letter.headers[name] for name in TEXTS if name in letter.headers},
        **{name: letter.number(name) for name in NUMBERS if name in letter.headers},
        **bytes_as_json("key", record.key),
        **bytes_as_json("value", record.value),
        "headers": [{"name": name, **bytes_as_json("value", value)} for name, value in letter.original_headers],
        "settled": letter.settled or None,
    }


def bytes_as_json(name: str, value: bytes | None) -> dict[str, str | None]:
    """Bytes as text where they are UTF-8, else in base64 under `<name>_base64`."""
    try:
        return {name: None if value is None else value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value or b"").decode()}
