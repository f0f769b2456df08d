"""`profilestream verify`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from agents.verify.report import PartReport, Report

SHOWN = 10


def verify(
    at_rest: Annotated[
        bool, typer.Option("--at-rest", help="Nothing flows any more: everything must be published, weights fresh.")
    ] = False,
    show_ids: Annotated[bool, typer.Option("--show-ids", help="Show the ids of users.")] = False,
    most: Annotated[int, typer.Option(min=0, help="Differences shown of a partition.")] = SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recompute the state from the topics and compare it with what the workers hold, while they work.

    Run it with the settings of the workers. Exit code 0: equal, 1: something differs.

    Example: profilestream verify --json
    """
    from rich.console import Console

    from agents.admin import check_topics
    from agents.settings import read_settings
    from agents.verify.audit import audit

    settings = read_settings()
    check_topics(settings)
    progress = Console(stderr=True)
    with progress.status("reading"):
        report = audit(settings, at_rest=at_rest, done=lambda part: _tell(progress, part))
    if as_json:
        typer.echo(json.dumps(report.as_json(most, show_ids), ensure_ascii=False))
    else:
        _print(report, most, show_ids, Console())
    raise typer.Exit(0 if report.equal else 1)


def _tell(console: "Console", part: "PartReport") -> None:
    if console.is_terminal:
        console.print(f"{part.kind} {part.partition}: {len(part.differences)} differences")


def _print(report: "Report", most: int, show_ids: bool, console: "Console") -> None:
    from rich.table import Table

    for kind in ("users", "items"):
        parts = [part for part in report.parts if part.kind == kind]
        table = Table(title=f"partitions of {kind}", title_justify="left")
        table.add_column("")
        for part in parts:
            table.add_column(str(part.partition), justify="right")
        for name in dict.fromkeys(name for part in parts for name in part.counts):
            table.add_row(name, *(f"{part.counts.get(name, 0):,}" for part in parts))
        table.add_section()
        table.add_row("differences", *(f"{len(part.differences):,}" for part in parts))
        console.print(table)
    for part in report.parts:
        for note in part.notes:
            console.print(f"{part.kind} {part.partition}, not verified: {note}", highlight=False)
        for one in part.differences[:most]:
            words = [one.kind, one.place, f"of {one.user}" if show_ids and one.user else "", one.detail]
            console.print(
                f"{part.kind} {part.partition}: " + " · ".join(filter(None, words)), highlight=False, markup=False
            )
        if len(part.differences) > most:
            console.print(f"{part.kind} {part.partition}: and {len(part.differences) - most:,} more", highlight=False)
    verdict = "equal" if report.equal else "different"
    console.print(verdict + ("" if report.complete else ", as far as it could be verified"), highlight=False)
