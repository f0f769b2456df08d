"""`profilestream replay`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from agents.replay import Rows

SAMPLE = "sample"


def replay(
    file: Annotated[str, typer.Argument(help="JSONL, CSV or Parquet file (.gz too), or the word: sample")],
    speed: Annotated[float, typer.Option(min=0, help="Times real time; 0: as fast as it goes.")] = 0,
    items: Annotated[Path | None, typer.Option(help="Catalogue, sent first: a file with item_id, title, …")] = None,
    event_type: Annotated[str, typer.Option(help="Type of events that name none.")] = "purchase",
) -> None:
    """Send a file of events to Kafka as a producer would.

    Columns: user_id, item_id, event_type, timestamp (seconds), rating, query, event_id, recommendation_id; the last
    six may be missing. `sample` is the bundled sample with its catalogue.

    Example: profilestream replay events.csv --speed 100 --items items.jsonl
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TimeElapsedColumn,
    )

    from agents import replay as sending
    from agents import sample
    from agents.admin import check_topics
    from agents.pseudonyms import naming
    from agents.settings import read_settings
    from agents.topics import build_topics

    settings, console = read_settings(), Console(stderr=True)
    rows: Rows | None = None
    events: Iterable[dict[str, Any]]
    catalogue: Iterable[dict[str, Any]] = ()
    if file == SAMPLE:
        events, catalogue = list(sample.events()), sample.items()
    else:
        events = rows = sending.Rows(Path(file))
    if items is not None:
        catalogue = sending.Rows(items)
    topics = build_topics(settings)
    check_topics(settings, [topics.events.name, topics.items.name] if catalogue else [topics.events.name])
    sent_items = sending.send_catalogue(settings, catalogue) if catalogue else 0
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TaskProgressColumn(show_speed=True))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("events", total=len(events) if isinstance(events, list) else None)
        started = progress.get_time()
        delivered = sending.send_events(
            settings, _to_send(events, event_type, naming(settings)), speed, lambda count: progress.advance(task, count)
        )
        seconds = max(progress.get_time() - started, 1e-9)
    if sent_items:
        console.print(f"{sent_items:,} catalogue entries delivered")
    console.print(f"{delivered:,} events delivered in {seconds:.1f} s ({delivered / seconds:,.0f}/s)")
    if rows is not None and rows.bad:
        console.print(f"[red]{rows.bad:,} rows could not be read and were not sent:[/red]")
        for line in rows.bad_lines:
            console.print(f"  {line}", markup=False)
        raise typer.Exit(1)


def _to_send(events: Iterable[dict[str, Any]], event_type: str, name: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    """Events with a type, and with their users as they are to be named."""
    for event in events:
        sent = event if event.get("event_type") else {**event, "event_type": event_type}
        user = sent.get("user_id")
        yield sent if user is None else {**sent, "user_id": name(user)}
