"""`profilestream evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from agents.evaluation.prequential import Report

CUTS = (10, 20)


def evaluate(
    data: Annotated[str, typer.Argument(help="File of events (.jsonl, .csv, .tsv, .parquet), or a data set's name")],
    items: Annotated[Path | None, typer.Option(help="Catalogue: a file with item_id, title, categories, …")] = None,
    k: Annotated[int, typer.Option(min=1, max=100, help="Length of the lists.")] = 20,
    train: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the events, oldest first, that only train.")
    ] = 0.8,
    until: Annotated[float, typer.Option(min=0, max=1, help="Share after which nothing is looked at.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play events through the agents and see how often lists had what users took next.

    Before each event it is asked for the user's list, then the event is taken in; without Kafka, in one process, by the
    code of the workers. Columns of a file: user_id, item_id, timestamp (seconds); optional: rating, event_type, basket.
    Data sets: sample; with PROFILESTREAM_DATA also ml-100k, ml-latest-small, online_retail (also -file, -basket),
    amazon_giftcards, amazon_office.

    Example: profilestream evaluate events.csv --items items.jsonl
    """
    from rich.console import Console
    from rich.progress import Progress

    from agents.errors import SetupError
    from agents.evaluation.datasets import LOADERS, load, load_file
    from agents.evaluation.pipeline import Pipeline
    from agents.evaluation.prequential import prequential
    from agents.settings import read_settings

    dataset = load(data) if data in LOADERS else load_file(Path(data), items)
    events = dataset.events[: round(len(dataset.events) * until)]
    if not events or train >= until:
        raise SetupError(f"{data}: no events between --train {train:g} and --until {until:g} of them")
    pipeline = Pipeline(read_settings(), events[0].at_ms)
    pipeline.put_items(dataset.items)
    with Progress(console=Console(stderr=True), disable=as_json) as progress:
        task = progress.add_task(dataset.name, total=len(events))
        report = prequential(events, pipeline, k, train / until, lambda count: progress.advance(task, count))
    if as_json:
        import json

        typer.echo(json.dumps(_figures(dataset.name, report, k)))
    else:
        _show(dataset.name, report, k)


def _figures(name: str, report: "Report", k: int) -> dict[str, Any]:
    """All there is to tell; estimates as [value, standard error]."""
    methods = {"profilestream": report.lists, "popular": report.popular}
    return {
        "data": name,
        "trained": report.trained,
        "tested": report.tested,
        "compared": len(report.lists.ranks),
        "methods": {
            method: {
                figure: [round(estimate.value, 5), round(estimate.error, 5)]
                for figure, estimate in (
                    *((f"HR@{cut}", accuracy.hit_rate(cut)) for cut in CUTS if cut <= k),
                    (f"MRR@{k}", accuracy.reciprocal_rank(k)),
                    (f"nDCG@{k}", accuracy.ndcg(k)),
                )
            }
            for method, accuracy in methods.items()
        },
        "coverage": round(report.exposure.coverage(report.items), 4),
        "novelty_bits": round(report.exposure.novelty(), 3),
        "gini": round(report.exposure.gini(report.items), 4),
    }


def _show(name: str, report: "Report", k: int) -> None:
    from rich.console import Console
    from rich.table import Table

    figures = _figures(name, report, k)
    table = Table(
        title=f"{name}: {figures['compared']:,} of {report.tested:,} events compared, {report.trained:,} before"
    )
    table.add_column("method")
    methods = figures["methods"]
    for figure in methods["profilestream"]:
        table.add_column(figure, justify="right")
    for method, estimates in methods.items():
        table.add_row(method, *(f"{value:.3f} ± {error:.3f}" for value, error in estimates.values()))
    console = Console()
    console.print(table)
    console.print(
        f"of {report.items:,} items {figures['coverage']:.1%} were in some list; Gini of their places "
        f"{figures['gini']:.3f}; novelty {figures['novelty_bits']:.1f} bits. ± is a standard error over users."
    )
