"""`profilestream export` and `forget`: what a person may ask for."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from agents.forgetting import Leftover
    from agents.settings import Settings

DAY_S = 86_400

User = Annotated[str, typer.Argument(help="The user's id.")]


def export(
    user: User,
    profile_only: Annotated[bool, typer.Option("--profile-only", help="Without the user's records in topics.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Print all that is held about a user as JSON: the profile, and the user's records that topics still keep.

    Reads the topics events, users, requests, recommendations and outcomes as a whole; exit code 1 if nothing is held.

    Example: profilestream export c17850 --output c17850.json
    """
    from rich.console import Console

    from agents.admin import check_topics
    from agents.export import export as collect
    from agents.pseudonyms import naming
    from agents.settings import read_settings

    settings = read_settings()
    check_topics(settings)
    with Console(stderr=True).status("") as status:
        found = collect(
            settings, naming(settings)(user), lambda name: status.update(f"reading {name}"), records=not profile_only
        )
    text = json.dumps(found, ensure_ascii=False)
    if output is None:
        typer.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
    held = (
        found["profile"] is not None or found["live_evaluation"] is not None or any(found.get("records", {}).values())
    )
    raise typer.Exit(0 if held else 1)


def forget(
    user: User,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait until the profile is gone.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Erase a user: the profile and its share of the co-counts go now, records in topics by retention.

    Waits until a profiles worker has done it, and looks whether live evaluation has; exit code 4 if not in time.

    Example: profilestream forget c17850
    """
    from agents.admin import check_topics
    from agents.forgetting import forget as erase
    from agents.forgetting import leftovers, live_row_stays
    from agents.pseudonyms import naming
    from agents.settings import read_settings
    from agents.topics import build_topics

    settings = read_settings()
    topics = build_topics(settings)
    check_topics(settings, [topics.users.name, topics.profiles_changelog.name, topics.live_changelog.name])
    name = naming(settings)(user)
    erased_ms = erase(settings, name, timeout)
    later, stays = leftovers(settings), live_row_stays(settings, name, erased_ms)
    if as_json:
        told = _as_json(settings, name, erased_ms, later)
        told["waits"] = [{"topic": topics.live_changelog.name, "what": LIVE}] if stays else []
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        _tell(settings, later)
    if stays:
        typer.echo(
            f"not gone: {LIVE}, in {topics.live_changelog.name}\n  Start an evaluation worker (profilestream worker "
            "evaluation) and give the command again; or delete that topic if you evaluate no more.",
            err=True,
        )
        raise typer.Exit(4)


GONE, SOON = "profile", "share of the co-counts and neighbours"
LIVE = "what live evaluation keeps of the user"
KEPT = "a hash of the user's id and the time of the erasure"


def _as_json(settings: "Settings", user: str, erased_ms: int, later: list["Leftover"]) -> dict[str, Any]:
    kept_until = erased_ms / 1000 + settings.erasure_kept_days * DAY_S
    return {
        "user_id": user,
        "erased_at": erased_ms / 1000,
        "gone": [GONE],
        "soon": [SOON],
        "later": [{"topic": one.topic, "what": one.what, "seconds": one.seconds} for one in later],
        "kept": {"what": KEPT, "until": kept_until},
    }


def _tell(settings: "Settings", later: list["Leftover"]) -> None:
    from rich.console import Console
    from rich.table import Table

    typer.echo("gone now: the profile (history, interests, attributes, searches, lists in flight)")
    typer.echo(f"within seconds: its {SOON}, once the similarity workers have followed")
    table = Table(title="gone later, by itself", title_justify="left")
    for column in ("topic", "what", "at the latest after"):
        table.add_column(column)
    for one in later:
        table.add_row(one.topic, one.what, "not known" if one.seconds is None else f"{one.seconds / DAY_S:g} days")
    Console().print(table)
    typer.echo(
        f"kept for {settings.erasure_kept_days} days: {KEPT}, so that older records do not bring the user back\n"
        "not undone: the counts of how popular items are, which name nobody and fade"
    )
