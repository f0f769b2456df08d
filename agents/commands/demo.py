"""`profilestream demo`."""

from typing import Annotated

import typer


def demo(
    bert: Annotated[bool, typer.Option(help="Score with BERT too; --no-bert is the light try.")] = True,
    events: Annotated[int, typer.Option(min=1_000, help="Replay so many of the sample's newest events.")] = 50_000,
) -> None:
    """Watch real purchases stream in and ranked lists with reasons stream out; nothing stays behind.

    Example: profilestream demo --no-bert
    """
    from agents.demo.run import run

    raise typer.Exit(run(bert=bert, most_events=events))
