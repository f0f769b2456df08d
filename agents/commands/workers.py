"""`profilestream worker …`."""

from typing import Annotated

import typer

worker = typer.Typer(
    no_args_is_help=True, help="Run a worker until SIGTERM; start more of a kind to share its partitions."
)

Instance = Annotated[
    str | None,
    typer.Option(help="Stable, unique name of this worker among its kind (or PROFILESTREAM_INSTANCE)."),
]


@worker.command(epilog="Example: profilestream worker profiles --instance 1")
def profiles(instance: Instance = None) -> None:
    """Events, users and requests → profiles, co-counts, candidates, outcomes."""
    from agents.profiles import run
    from agents.settings import read_settings

    run(read_settings(**_named(instance)))


@worker.command(epilog="Example: profilestream worker similarity --instance 1")
def similarity(instance: Instance = None) -> None:
    """Co-counts → item rows → neighbours."""
    from agents.settings import read_settings
    from agents.similarity import run

    run(read_settings(**_named(instance)))


@worker.command(epilog="Example: PROFILESTREAM_BERT_MODEL=bundled profilestream worker scorer --instance 1")
def scorer(instance: Instance = None) -> None:
    """Candidates → ranked lists with reasons; with BERT where PROFILESTREAM_BERT_MODEL names a model."""
    from agents.scorer import run
    from agents.settings import read_settings

    run(read_settings(**_named(instance)))


@worker.command(epilog="Example: profilestream worker learner --instance 1")
def learner(instance: Instance = None) -> None:
    """Outcomes → weights of the ranker; one works, others wait to take over."""
    from agents.learner import run
    from agents.settings import read_settings

    run(read_settings(**_named(instance)))


@worker.command(epilog="Example: profilestream worker evaluation --instance 1")
def evaluation(instance: Instance = None) -> None:
    """Events, lists and outcomes → live hit rates and clicks of each variant (see `profilestream experiments`)."""
    from agents.live_evaluation import run
    from agents.settings import read_settings

    run(read_settings(**_named(instance)))


def _named(instance: str | None) -> dict[str, str]:
    return {} if instance is None else {"instance": instance}
