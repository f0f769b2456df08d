"""`profilestream experiments`."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from agents.experiments import VariantReport
    from models.user_sums import Interval

TITLES = {"hit_rate": "hit rate", "click_rate": "clicks a place", "purchase_rate": "purchases a place"}


def experiments(
    by: Annotated[list[str] | None, typer.Option(help="Also by `source` or by `place`; may be given twice.")] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Name of another experiment than that of PROFILESTREAM_EXPERIMENT.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how lists of each variant do, live: rates with 95 % intervals, and differences to the default.

    What an evaluation worker has counted; exit code 1 if that is nothing yet. Differences that are more than noise are
    marked with a star; of twenty without a true difference, one will be.

    Example: profilestream experiments --by source
    """
    from rich.console import Console

    from agents.admin import check_topics
    from agents.errors import SettingsError
    from agents.experiments import read_sums, report
    from agents.settings import read_settings
    from agents.topics import build_topics
    from models.live_hits import ALL

    if unknown := set(by or ()) - {"source", "place"}:
        raise SettingsError(f"--by {', '.join(sorted(unknown))}: there are source and place")
    settings = read_settings(**({} if experiment is None else {"experiment": experiment}))
    check_topics(settings, [build_topics(settings).live_changelog.name])
    found = list(report(read_sums(settings)))
    if not found:
        typer.echo(
            f"nothing is known of experiment {settings.experiment} yet: is an evaluation worker running "
            "(profilestream worker evaluation), with this PROFILESTREAM_EXPERIMENT?",
            err=True,
        )
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps([one.as_json() for one in found], ensure_ascii=False))
        return
    console = Console()
    console.print(_table("variants", [one for one in found if one.slice == ALL]))
    for kind in dict.fromkeys(by or ()):
        console.print(_table(f"by {kind}", [one for one in found if one.slice.startswith(f"{kind}:")]))


def _table(title: str, rows: Sequence["VariantReport"]) -> "Table":
    from rich.table import Table

    from models.live_hits import ALL

    whole = all(one.slice == ALL for one in rows)
    table = Table(title=title, title_justify="left", caption="95 % intervals over users; Δ: to the default")
    for column in ("variant", *(("lists",) if whole else (title.removeprefix("by "),)), "users", *TITLES.values()):
        table.add_column(column, justify="left" if column in {"variant", "source", "place"} else "right")
    for one in rows:
        second = f"{one.counts['lists']:,}" if whole else one.slice.partition(":")[2]
        table.add_row(one.variant, second, f"{one.users:,}", *(_cell(one, name) for name in TITLES))
    return table


def _cell(one: "VariantReport", name: str) -> str:
    text = _text(one.rates[name])
    if name in one.differences:
        change = one.differences[name]
        text += f"\nΔ {_text(change, sign='+')}{' *' if change.excludes_zero else ''}"
    return text


def _text(found: "Interval", sign: str = "") -> str:
    if math.isnan(found.value):
        return "–"
    reach = "" if math.isnan(found.low) else f" ± {found.high - found.value:.4f}"
    return f"{found.value:{sign}.4f}{reach}"
