"""`profilestream dead-letters …`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agents.dead_letters import Choice, How
    from agents.settings import Settings

dead_letters = typer.Typer(no_args_is_help=True, help="Bad records that workers put aside: look, send again, drop.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[LETTER]...", help="Names of letters: partition-offset.")]
Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Only with this reason; may be repeated.")]
TopicNames = Annotated[list[str] | None, typer.Option("--topic", help="Only records of this topic; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dead_letters.command(epilog="Example: profilestream dead-letters show --reason bad_json --newest 5")
def show(
    letters: Names = None,
    reason: Reasons = None,
    topic: TopicNames = None,
    newest: Annotated[int, typer.Option(min=1, help="Most letters printed, newest first.")] = 20,
    settled: Annotated[bool, typer.Option("--all", help="Also letters that were retried or dropped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each letter.")] = False,
) -> None:
    """Print letters that are not settled; those that are named in full. Exit code 1 if there is none."""
    from rich.console import Console

    from agents.commands.show_letters import letter_json, letter_table, letters_table
    from agents.dead_letters import newest_letters

    settings, choice = _chosen(letters, reason, topic)
    found, counts = newest_letters(settings, choice, newest, settled_too=settled or bool(letters))
    if as_json:
        for letter in found:
            typer.echo(json.dumps(letter_json(letter)))  # ASCII: nothing in it can steer a terminal
    elif letters:
        for letter in found:
            Console().print(letter_table(letter))
    elif found:
        Console().print(letters_table(found))
        by_reason = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
        typer.echo(f"{counts.total():,} letters ({by_reason}), the newest {len(found)} shown", err=True)
    if not found:
        typer.echo("no such letters", err=True)
        raise typer.Exit(1)


@dead_letters.command(epilog="Example: profilestream dead-letters retry --reason agent_failed")
def retry(letters: Names = None, reason: Reasons = None, topic: TopicNames = None, as_json: AsJson = False) -> None:
    """Send the original records to their topics and partitions again, each letter once; without a choice, all.

    Exit code 1 if a letter is not there or cannot be sent.
    """
    _settle(letters, reason, topic, "retried", as_json)


@dead_letters.command(epilog="Example: profilestream dead-letters drop 2-117")
def drop(letters: Names = None, reason: Reasons = None, topic: TopicNames = None, as_json: AsJson = False) -> None:
    """Mark letters as settled without sending them; they leave the topic by its retention.

    Exit code 1 if a letter is not there.
    """
    if not (letters or reason or topic):
        raise typer.BadParameter("name letters, or choose them with --reason or --topic")
    _settle(letters, reason, topic, "dropped", as_json)


def _chosen(
    letters: list[str] | None, reasons: list[str] | None, topics: list[str] | None
) -> tuple["Settings", "Choice"]:
    from agents.admin import check_topics
    from agents.dead_letters import Choice
    from agents.settings import read_settings
    from agents.topics import build_topics

    settings = read_settings()
    check_topics(settings, [build_topics(settings).dead_letters.name])
    choice = Choice(frozenset(letters or ()), frozenset(reasons or ()), frozenset(topics or ()), settings.topic_prefix)
    return settings, choice


def _settle(
    letters: list[str] | None, reasons: list[str] | None, topics: list[str] | None, how: "How", as_json: bool
) -> None:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from agents.dead_letters import settle

    settings, choice = _chosen(letters, reasons, topics)
    columns = (SpinnerColumn(), TextColumn(f"{{task.completed}} {how}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(how, total=None)
        done = settle(settings, choice, how, lambda count: progress.advance(task, count))
    if as_json:
        refused = [{"letter": name, "why": why} for name, why in done.refused]
        typer.echo(json.dumps({how: done.done, "before": done.before, "refused": refused, "unknown": done.unknown}))
    else:
        typer.echo(f"{done.done:,} {how}" + (f", {done.before:,} were settled before" if done.before else ""))
        for name, why in done.refused:
            typer.echo(f"{name} cannot be retried: {why}", err=True)
        for name in done.unknown:
            typer.echo(f"{name}: there is no such letter; it may have left the topic by its retention", err=True)
    raise typer.Exit(1 if done.refused or done.unknown else 0)
