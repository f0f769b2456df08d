"""`profilestream evaluate`."""

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from agents.evaluation.prequential import Report
    from agents.records import ModelVersion
    from models.accuracy import Estimate

CUTS = (10, 20)


def evaluate(
    data: Annotated[str, typer.Argument(help="File of events (.jsonl, .csv, .tsv, .parquet), or a data set's name")],
    items: Annotated[Path | None, typer.Option(help="Catalogue of a file: item_id, title, categories, …")] = None,
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Length of the lists.")] = 20,
    train: Annotated[float, typer.Option(min=0, max=1, help="Share of events, oldest first, to train only.")] = 0.8,
    until: Annotated[float, typer.Option(min=0, max=1, help="Share of events after which nothing is looked at.")] = 1.0,
    feedback: Annotated[bool, typer.Option(help="What is taken from a list teaches the ranker.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play events through the agents and see how often lists had what users took next.

    Before each event it is asked for the user's list, then the event is taken in; without Kafka, in one process, by the
    code and the settings of the workers, at a pace of 100 events a second. Columns of a file: user_id, item_id,
    timestamp (seconds); optional: rating, event_type, query, event_id, basket (lists change only after a whole one).
    Events of one moment are drawn at random, but for a set in the order of its file.

    Data sets: sample; with PROFILESTREAM_DATA also ml-100k, ml-latest-small, online_retail (also -file, -basket),
    amazon_giftcards, amazon_office.

    Example: profilestream evaluate events.csv --items items.jsonl
    """
    from rich.console import Console
    from rich.progress import Progress

    from agents.errors import SetupError
    from agents.evaluation.datasets import LOADERS, load, load_file
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
    played = Prequential(dataset, read_settings(), k, until, feedback)
    with Progress(console=Console(stderr=True), disable=as_json) as progress:
        task = progress.add_task(dataset.name, total=played.count)
        report = played.run(train / until, lambda count: progress.advance(task, count))
    if as_json:
        typer.echo(json.dumps(figures(dataset.name, report, k)))
    else:
        _show(dataset.name, report, k)


def figures(name: str, report: "Report", k: int) -> dict[str, Any]:
    """All there is to tell; estimates as [value, standard error]."""
    cuts = [*(cut for cut in CUTS if cut < k), k]
    return {
        "data": name,
        "trained": report.trained,
        "tested": report.tested,
        "compared": len(report.lists.ranks),
        "methods": {
            method: {
                **{f"HR@{cut}": _pair(accuracy.hit_rate(cut)) for cut in cuts},
                f"MRR@{k}": _pair(accuracy.reciprocal_rank(k)),
                f"nDCG@{k}": _pair(accuracy.ndcg(k)),
            }
            for method, accuracy in (("profilestream", report.lists), ("popular", report.popular))
        },
        "items": report.items,
        "coverage": round(report.exposure.coverage(report.items), 4),
        "novelty_bits": round(report.exposure.novelty(), 3),
        "gini": round(report.exposure.gini(report.items), 4),
        "rejected": dict(report.rejected),
        **({"ranker": _ranker(report.ranker)} if report.ranker is not None else {}),
    }


def _ranker(ranker: "ModelVersion") -> dict[str, Any]:
    """What was learned from feedback; `gain` as [value, standard error]."""
    return {
        "choices": int(ranker.version),
        "active": ranker.active,
        "gain": [round(ranker.gain, 5), None if ranker.gain_error is None else round(ranker.gain_error, 5)],
        "weights": {name: round(weight, 4) for name, weight in ranker.weights.items()},
    }


def _pair(estimate: "Estimate") -> list[float | None]:
    return [None if math.isnan(number) else round(number, 5) for number in (estimate.value, estimate.error)]


def _show(name: str, report: "Report", k: int) -> None:
    from rich.console import Console
    from rich.table import Table

    told = figures(name, report, k)
    title = f"{name}: {told['compared']:,} of {report.tested:,} events compared, {report.trained:,} before"
    table = Table("method", title=title)
    for figure in told["methods"]["profilestream"]:
        table.add_column(figure, justify="right")
    for method, estimates in told["methods"].items():
        table.add_row(method, *(f"{value:.3f} ± {_text(error)}" for value, error in estimates.values()))
    console = Console()
    console.print(table)
    console.print(
        f"of {report.items:,} items {told['coverage']:.1%} were in some list; Gini of their places "
        f"{told['gini']:.3f}; novelty {told['novelty_bits']:.1f} bits. ± is a standard error over users."
    )
    if "ranker" in told:
        gain, error = told["ranker"]["gain"]
        console.print(
            f"the ranker learned from {told['ranker']['choices']:,} choices; by its weights they are {gain:.4f} ± "
            f"{_text(error)} nats likelier than by the blend's; in use: {'yes' if told['ranker']['active'] else 'no'}."
        )


def _text(error: float | None) -> str:
    return "–" if error is None else f"{error:.3f}"
