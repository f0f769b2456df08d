"""`profilestream evaluate`."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer


def evaluate(
    data: Annotated[str, typer.Argument(help="File of events (.jsonl, .csv, .tsv, .parquet), or a data set's name")],
    items: Annotated[Path | None, typer.Option(help="Catalogue of a file: item_id, title, categories, …")] = None,
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Length of the lists.")] = 20,
    train: Annotated[float, typer.Option(min=0, max=1, help="Share of events, oldest first, to train only.")] = 0.8,
    until: Annotated[float, typer.Option(min=0, max=1, help="Share of events after which nothing is looked at.")] = 1.0,
    against: Annotated[str, typer.Option(help="Models to compare with: ease, implicit, rules; commas between.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play events through the agents and see how often lists had what users took next.

    Before each event it is asked for the user's list, then the event is taken in; without Kafka, in one process, by the
    code and the settings of the workers, at a pace of 100 events a second. Columns of a file: user_id, item_id,
    timestamp (seconds); optional: rating, event_type, query, event_id, basket (lists change only after a whole one).
    Events of one moment are drawn at random, but for a set in the order of its file.

    --against adds a row for each model of others, asked about the same events: ease (EASE), rules (sequential rules),
    implicit (alternating least squares and item neighbours of that library). They get the user's history as it is now,
    weighted by recency as ours is; what they learned is fitted anew at the start and four times later.

    Data sets: sample; with PROFILESTREAM_DATA also ml-100k, ml-latest-small, online_retail (also -file, -basket),
    amazon_giftcards, amazon_office.

    Example: profilestream evaluate events.csv --items items.jsonl --against ease,rules
    """
    from rich.console import Console
    from rich.progress import Progress

    from agents.errors import SetupError
    from agents.evaluation.against import chosen
    from agents.evaluation.datasets import LOADERS, load, load_file
    from agents.evaluation.figures import figures
    from agents.evaluation.prequential import Prequential
    from agents.settings import read_settings, unknown_variables

    for text in unknown_variables(os.environ):
        typer.echo(text, err=True)
    if train >= until:
        raise SetupError(f"--train {train:g} and --until {until:g} leave no events to look at")
    path = Path(data)
    if data in LOADERS or not (path.suffix or path.exists()):
        if items is not None:
            raise SetupError(f"{data} has a catalogue of its own: leave --items out")
        dataset = load(data)
    else:
        dataset = load_file(path, items)
    settings = read_settings()
    played = Prequential(dataset, settings, k, until, chosen(against, settings.recency_power))
    with Progress(console=Console(stderr=True), disable=as_json) as progress:
        task = progress.add_task(dataset.name, total=played.count)
        report = played.run(train / until, lambda count: progress.advance(task, count))
    if as_json:
        typer.echo(json.dumps(figures(dataset.name, report, k)))
    else:
        _show(figures(dataset.name, report, k))


def _show(told: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    title = f"{told['data']}: {told['compared']:,} of {told['tested']:,} events compared, {told['trained']:,} before"
    table = Table("method", title=title, box=box.SIMPLE_HEAD)
    for figure in (*told["methods"]["profilestream"], "cover"):
        table.add_column(figure, justify="right", no_wrap=True)
    for method, estimates in told["methods"].items():
        spread = told["spread"][method]
        table.add_row(
            method,
            *(f"{value:.3f} {_text(error)}" for value, error in estimates.values()),
            f"{spread['coverage']:.1%}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"± is a standard error over users; cover: share of {told['items']:,} items that were in some list. Ours: Gini "
        f"of their places {told['gini']:.3f}, novelty {told['novelty_bits']:.1f} bits."
    )


def _text(error: float | None) -> str:
    return "" if error is None else f"±{error:.3f}".replace("0.", ".")
