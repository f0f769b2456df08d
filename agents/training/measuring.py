"""A model measured on labelled examples: as a table, and as JSON, text and a page beside the model."""

import io
import re
from collections.abc import Sequence
from html import escape
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table

from agents.errors import SetupError
from agents.evaluation.charts import Point, line_chart
from agents.evaluation.page import STYLE

if TYPE_CHECKING:
    from models.bert.training.examples import Example

FOLDER = "evaluation"
TEXT_WIDTH = 100
SHOWN_CONFUSION = 12
"""A confusion matrix of more labels does not fit a terminal; JSON has all."""
COUNTS = {"examples", "lists"}


def measure_model(
    folder: Path, examples: Sequence["Example"], data: str, device: Literal["auto", "cpu", "cuda"] = "auto"
) -> dict[str, Any]:
    """All figures. Raises SetupError if the model does not load or does not know a label."""
    try:
        from models.bert.cross_encoder import CrossEncoder
        from models.bert.folder import find_model
    except ImportError as exc:
        raise SetupError(f"{exc.name} is not installed: pip install 'profilestream[scorer]'") from exc
    from models.bert.training.examples import numbers_of
    from models.bert.training.measures import measured
    from models.bert.training.written import read_card

    if not folder.is_dir():
        raise SetupError(f"{folder} is no folder")
    try:
        encoder = CrossEncoder(find_model(str(folder)), device)
        truth = numbers_of(examples, encoder.labels)
    except ValueError as exc:  # ModelError, DataError
        raise SetupError(str(exc)) from exc
    if len(encoder.labels) < 2:
        raise SetupError(f"{folder} has one label, {encoder.labels[0]}: two or more are needed to measure it")
    chances = encoder.chances([example.texts for example in examples])
    figures = measured(truth, chances, encoder.labels, [example.of_list for example in examples])
    card = read_card(folder)
    known = {name: card[name] for name in ("parent", "data", "date") if name in card}
    return {
        "model": encoder.version,
        "data": Path(data).name,
        "precision": encoder.precision,
        "trained": known,
        "labels": encoder.labels,
        **figures,
    }


def show_report(told: dict[str, Any], console: Console | None = None) -> None:
    """Print the figures for people."""
    console = console or Console()
    single = {name: value for name, value in told.items() if isinstance(value, float)}
    console.print(f"{told['model']} on {told['data']}: {told['examples']:,} rows")
    console.print(", ".join(f"{name} {'–' if isnan(value) else f'{value:.3f}'}" for name, value in single.items()))
    if "lists" in told:
        console.print(f"nDCG and MRR are means over {told['lists']:,} lists.")
    table = Table("label", box=box.SIMPLE_HEAD)
    for name in ("precision", "recall", "f1", "support"):
        table.add_column(name, justify="right")
    for label, figures in told["by_label"].items():
        table.add_row(label, *(f"{figures[name]:.3f}" for name in ("precision", "recall", "f1")), _count(figures))
    console.print(table)
    if len(told["labels"]) <= SHOWN_CONFUSION:
        matrix = Table("truth ↓ said →", *told["labels"], box=box.SIMPLE_HEAD)
        for label, row in zip(told["labels"], told["confusion"], strict=True):
            matrix.add_row(label, *(f"{count:,}" for count in row))
        console.print(matrix)


def _count(figures: dict[str, float]) -> str:
    return f"{figures['support']:,.0f}"


def save_report(folder: Path, told: dict[str, Any]) -> Path:
    """Write JSON, text and page beside the model; the path without its ending. Raises SetupError."""
    from models.bert.training.written import json_of

    name = re.sub(r"[^\w.-]", "-", Path(told["data"]).stem)
    path = folder / FOLDER / name
    text = io.StringIO()
    show_report(told, Console(file=text, width=TEXT_WIDTH))
    try:
        path.parent.mkdir(exist_ok=True)
        for ending, content in (
            (".json", json_of(told, indent=2) + "\n"),
            (".txt", text.getvalue()),
            (".html", report_page(told)),
        ):
            path.with_name(name + ending).write_text(content, encoding="utf-8")
    except OSError as exc:
        raise SetupError(f"{path.parent} cannot be written: {exc.strerror}") from exc
    return path


def report_page(told: dict[str, Any]) -> str:
    """The text report and the curve of calibration as a page that fetches nothing."""
    text = io.StringIO()
    show_report(told, Console(file=text, width=TEXT_WIDTH))
    curve: list[Point] = [(one["confidence"], one["accuracy"], 0.0) for one in told["calibration"]]
    lines: dict[str, list[Point]] = {told["model"]: curve, "as it should be": [(0.0, 0.0, 0.0), (1.0, 1.0, 0.0)]}
    ticks = [(step / 5, f"{step / 5:.1f}") for step in range(6)]
    chart = line_chart(lines, ticks, "chance that the model gives its answer", "share that was right", dots=True)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(told["model"])}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(told['model'])}</h1>"
        f"<pre>{escape(text.getvalue())}</pre><h2>Calibration</h2>{chart}</body></html>\n"
    )
