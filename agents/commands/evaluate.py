"""`profilestream evaluate`."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from agents.evaluation.datasets import Dataset
    from agents.settings import Settings
RATINGS_SPLIT = 0.75
Progress = Callable[[int], object]
K, SPLIT_K = 20, 10
"""Length of lists if nothing is said: before each event, and on random splits, as is published."""


def evaluate(
    data: Annotated[str, typer.Argument(help="File of events (.jsonl, .csv, .tsv, .parquet), or a data set's name")],
    items: Annotated[Path | None, typer.Option(help="Catalogue of a file: item_id, title, categories, …")] = None,
    k: Annotated[
        int, typer.Option("--k", min=0, max=100, help=f"Length of the lists; 0: {K}, with --split {SPLIT_K}.")
    ] = 0,
    train: Annotated[float, typer.Option(min=0, max=1, help="Share of events, oldest first, to train only.")] = 0.8,
    until: Annotated[float, typer.Option(min=0, max=1, help="Share of events after which nothing is looked at.")] = 1.0,
    against: Annotated[
        str, typer.Option(help="Models to compare with: ease, implicit, sequential; of ratings: svd.")
    ] = "",
    split: Annotated[
        float, typer.Option(min=0, max=1, help="Train with this share of each user's items, drawn; ask for the others.")
    ] = 0.0,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="So many splits, or shares of items, of seeds 1, 2, …")
    ] = 5,
    cold_items: Annotated[
        float, typer.Option(min=0, max=1, help="Withhold this share of the items, and ask for them.")
    ] = 0.0,
    ratings: Annotated[bool, typer.Option("--ratings", help="Predict ratings instead of making lists.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with tables and charts to this file.")] = None,
    rules: Annotated[Path | None, typer.Option(help="Rules that hold: a file as for `rules put`.")] = None,
    feedback: Annotated[bool, typer.Option(help="What is taken from a list teaches the ranker.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play events through the agents and see how often lists had what users took next.

    Before each event it is asked for the user's list, then the event is taken in; without Kafka, in one process, by the
    code and the settings of the workers, at a pace of 100 events a second. Columns of a file: user_id, item_id,
    timestamp (seconds); optional: rating, event_type, query, event_id, basket (lists change only after a whole one).
    Events of one moment are drawn at random, but for a set in the order of its file.

    --against adds a row for each model of others, asked about the same events: ease (EASE), sequential (rules),
    implicit (alternating least squares and item neighbours of that library). They get the user's history as it is now,
    weighted by recency as ours is; what they learned is fitted anew at the start and four times later.

    --split 0.75 compares as is published for most recommenders: of each user's items a quarter, drawn at random, is
    held back, and one list for each user is asked for at the end; nDCG, recall, MRR and hit rate, and with --against
    ease (here without recency, as published) the ratio to EASE.

    --ratings predicts ratings that were held back (a random quarter; --split) by weighted averages over items and over
    users: RMSE and MAE. --against svd adds matrix factorisation by the library Surprise.

    --cold-items 0.2 withholds a fifth of the items, drawn: nobody's events with them are played, only their entries in
    the catalogue are known. Hit rates of lists for those who took them, where all items compete and where places are
    for new items alone; beside popularity and a random order of the new items. Texts count with
    PROFILESTREAM_BERT_MODEL.

    Data sets: sample; with PROFILESTREAM_DATA also ml-100k, ml-latest-small, online_retail (also -file, -basket),
    amazon_giftcards, amazon_office.

    Example: profilestream evaluate events.csv --items items.jsonl --against ease,sequential
    """
    from rich.console import Console
    from rich.progress import Progress as Bar

    from agents.commands import evaluate_tables as tables
    from agents.errors import SetupError
    from agents.evaluation.against import chosen
    from agents.evaluation.figures import figures
    from agents.evaluation.page import page
    from agents.evaluation.prequential import Prequential
    from agents.rules import read_file
    from agents.settings import read_settings, unknown_variables

    for text in unknown_variables(os.environ):
        typer.echo(text, err=True)
    if train >= until:
        raise SetupError(f"--train {train:g} and --until {until:g} leave no events to look at")
    if split == 1:
        raise SetupError("--split 1 holds nothing back")
    if cold_items and (split or ratings or feedback or against or rules is not None or html is not None):
        raise SetupError("--cold-items goes with --items, --train, --until, --k, --seeds and --json alone")
    if feedback and (split or ratings):
        raise SetupError(
            "--feedback comes from lists that are asked for as time goes by: leave --split and --ratings out"
        )
    held = [*read_file(rules).values()] if rules is not None else []
    if held and (split or ratings):
        raise SetupError("--rules holds in lists that are asked for as time goes by: leave --split and --ratings out")
    dataset, settings = _dataset(data, items), read_settings()
    with Bar(console=Console(stderr=True), disable=as_json) as bar:
        if ratings:
            task = bar.add_task(dataset.name, total=seeds)
            told = _of_ratings(
                dataset, settings, split or RATINGS_SPLIT, seeds, against, lambda n: bar.advance(task, n)
            )
        elif cold_items:
            task = bar.add_task(dataset.name, total=round(len(dataset.events) * until) * seeds)
            shares = (train / until, until)
            told = _of_cold_items(dataset, settings, k or K, cold_items, seeds, shares, lambda n: bar.advance(task, n))
        elif split:
            task = bar.add_task(dataset.name, total=len(dataset.events) * seeds)
            told = _on_splits(dataset, settings, k or SPLIT_K, split, seeds, against, lambda n: bar.advance(task, n))
        else:
            task = bar.add_task(dataset.name, total=round(len(dataset.events) * until))
            peers = chosen(against, settings.recency_power)
            played = Prequential(dataset, settings, k or K, until, peers, held, feedback=feedback)
            told = figures(dataset.name, played.run(train / until, lambda n: bar.advance(task, n)), k or K)
    if html is not None:
        _write(html, page(told))
    if as_json:
        typer.echo(json.dumps(told))
    elif ratings:
        tables.show_ratings(told)
    elif split:
        tables.show_splits(told)
    elif cold_items:
        tables.show_cold_items(told)
    else:
        tables.show(told)


def _dataset(data: str, items: Path | None) -> "Dataset":
    from agents.errors import SetupError
    from agents.evaluation.datasets import LOADERS, load, load_file

    path = Path(data)
    if data in LOADERS or not (path.suffix or path.exists()):
        if items is not None:
            raise SetupError(f"{data} has a catalogue of its own: leave --items out")
        return load(data)
    return load_file(path, items)


def _write(path: Path, text: str) -> None:
    from agents.errors import SetupError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise SetupError(f"--html {path}: {exc.strerror}") from exc


def _on_splits(
    dataset: "Dataset", settings: "Settings", k: int, share: float, seeds: int, against: str, progress: Progress
) -> dict[str, Any]:
    from agents.evaluation.against import chosen
    from agents.evaluation.figures import split_figures
    from agents.evaluation.held_out import run

    runs = [
        run(dataset, settings, k, share, seed, chosen(against, recency_power=0.0), progress)
        for seed in range(1, seeds + 1)
    ]
    known = {event.taken for event in dataset.events if event.taken}.union(item["item_id"] for item in dataset.items)
    return {"data": dataset.name, "split": share, **split_figures(runs, k, len(known))}


def _of_cold_items(
    dataset: "Dataset",
    settings: "Settings",
    k: int,
    share: float,
    seeds: int,
    shares: tuple[float, float],
    progress: Progress,
) -> dict[str, Any]:
    from agents.evaluation.cold_figures import cold_figures
    from agents.evaluation.cold_items import ColdItems, ColdReport

    report, (train, until) = ColdReport(), shares
    for seed in range(1, seeds + 1):
        ColdItems(dataset, settings, k, share, seed, until).run(train, report, progress)
    return cold_figures(dataset.name, report, k, share, seeds)


def _of_ratings(
    dataset: "Dataset", settings: "Settings", share: float, seeds: int, against: str, progress: Progress
) -> dict[str, Any]:
    from agents.evaluation.figures import rating_figures
    from agents.evaluation.ratings import Rated, run

    rated, runs = Rated(dataset), []
    for seed in range(1, seeds + 1):
        runs.append(run(rated, settings, share, seed, against))
        progress(1)
    return {"data": dataset.name, "ratings": len(rated.ratings.values), "split": share, **rating_figures(runs)}
