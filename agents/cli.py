"""The command `profilestream`. Each group of commands is a small file in `agents/commands/`."""

import sys
from typing import Annotated

import typer

from agents.commands import (
    acls,
    brokers,
    dead_letters,
    demo,
    evaluate,
    evaluate_model,
    experiments,
    look,
    models,
    personal,
    replay,
    request,
    rules,
    schema,
    train,
    verify,
    workers,
)
from agents.errors import ProfilestreamError

app = typer.Typer(
    name="profilestream",
    help="Recommendations from a Kafka stream, while the user is still on the page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(brokers.kafka, name="kafka")
app.add_typer(brokers.topics, name="topics")
app.add_typer(workers.worker, name="worker")
app.add_typer(rules.rules, name="rules")
app.add_typer(models.models, name="models")
app.add_typer(dead_letters.dead_letters, name="dead-letters")
app.command()(replay.replay)
app.command()(request.request)
app.command()(look.watch)
app.command()(look.profile)
app.command()(look.similar)
app.command()(personal.export)
app.command()(personal.forget)
app.command()(verify.verify)
app.command()(evaluate.evaluate)
app.command()(train.train)
app.command("evaluate-model")(evaluate_model.evaluate_model)
app.command()(experiments.experiments)
app.command()(acls.acls)
app.command()(schema.schema)
app.command()(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(version("profilestream"))
        except PackageNotFoundError:  # run from a clone, which is not installed
            typer.echo("development")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Recommendations from a Kafka stream, while the user is still on the page."""


def main() -> None:
    """Run the command; an error that says how to mend it is printed without a traceback."""
    try:
        app()
    except ProfilestreamError as exc:
        print(f"profilestream: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
