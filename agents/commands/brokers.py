"""`profilestream kafka …` and `profilestream topics …`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

kafka = typer.Typer(no_args_is_help=True, help="A real Apache Kafka on this machine, without Docker (Java 17+, Maven).")
topics = typer.Typer(no_args_is_help=True, help="The topics on the broker.")

Port = Annotated[int, typer.Option(help="Port for clients; the controller takes the next one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@kafka.command(epilog="Example: profilestream kafka start")
def start(port: Port = 9092) -> None:
    """Start the broker; its data and jars are in the cache folder and stay there."""
    from agents.local.kafka import LocalKafka

    broker = LocalKafka.on_port(port)
    started = broker.start()
    typer.echo(f"Apache Kafka {'answers' if started else 'was already running'} on {broker.bootstrap}")


@kafka.command(epilog="Example: profilestream kafka stop")
def stop(port: Port = 9092) -> None:
    """Stop the broker; its data stays."""
    from agents.local.kafka import LocalKafka

    typer.echo("stopped" if LocalKafka.on_port(port).stop() else f"no broker of ours was running on port {port}")


@kafka.command(epilog="Example: profilestream kafka status --json")
def status(port: Port = 9092, as_json: AsJson = False) -> None:
    """Say whether the broker runs; exit code 1 if it does not answer."""
    from agents.local.kafka import LocalKafka

    found = LocalKafka.on_port(port).status()
    if as_json:
        typer.echo(json.dumps(asdict(found), default=str))
    else:
        state = "answers" if found.answering else "runs, but does not answer" if found.running else "does not run"
        typer.echo(f"Apache Kafka {found.version} {state} on {found.bootstrap} (log: {found.log})")
    raise typer.Exit(0 if found.answering else 1)


@topics.command(epilog="Example: PROFILESTREAM_USER_PARTITIONS=8 profilestream topics create")
def create() -> None:
    """Make the topics that are missing, with the partitions and replicas of the settings."""
    from agents.admin import check_topics, create_topics
    from agents.settings import read_settings

    settings = read_settings()
    made = create_topics(settings)
    check_topics(settings)
    typer.echo("\n".join(f"created {name}" for name in made) if made else "all topics were there")


@topics.command(epilog="Example: profilestream topics check")
def check() -> None:
    """Check that the topics are as the settings want them; exit code 2 and the remedy for each if not."""
    from agents.admin import check_topics
    from agents.settings import read_settings

    check_topics(read_settings())
    typer.echo("all topics are as they should be")
