"""`profilestream models …`."""

from typing import Annotated

import typer

models = typer.Typer(help="The cross-encoder that scorers use: announce, roll back.", no_args_is_help=True)


@models.command()
def announce(
    model: Annotated[str, typer.Argument(help="Folder (`profilestream train`) or Hugging Face id.")],
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Only compare it with the one in use: metrics shadow_….")
    ] = False,
) -> None:
    """Let all scorers use another cross-encoder; none stops for it.

    A scorer loads the new one beside the old one, checks it on the probe in its folder, and changes between two
    batches; what it cannot load or what fails the probe it does not use. The folder must be there, under the same
    path, on every scorer's machine: a shared volume, or an image that holds it.

    Example: profilestream models announce /models/reader-2
    """
    from agents.cross_models import announce as send
    from agents.cross_models import named_model, used, with_model, with_shadow
    from agents.settings import read_settings

    settings = read_settings()
    named, known = named_model(model), used(settings)
    record = with_shadow(known, named) if shadow else with_model(known, named)
    send(settings, record)
    typer.echo(f"{named.version} is announced{' as a shadow' if shadow else ''}")


@models.command()
def rollback() -> None:
    """Let all scorers use the cross-encoder before this one again; before the first: the one of their settings.

    Example: profilestream models rollback
    """
    from agents.cross_models import announce as send
    from agents.cross_models import rolled_back, used
    from agents.settings import read_settings

    settings = read_settings()
    record = rolled_back(used(settings))
    send(settings, record)
    typer.echo("scorers use the model of their settings" if record is None else f"{record.version} is announced again")


@models.command()
def show() -> None:
    """Print what is announced, and what was before.

    Example: profilestream models show
    """
    from rich.console import Console
    from rich.table import Table

    from agents.cross_models import used
    from agents.settings import read_settings

    model = used(read_settings())
    if model is None:
        typer.echo("no cross-encoder is announced; scorers use the one of PROFILESTREAM_CROSS_MODEL")
        return
    table = Table("version", "where", "used")
    if model.path:
        table.add_row(model.version, model.path, "now")
    if model.shadow is not None:
        table.add_row(model.shadow.version, model.shadow.path, "shadow")
    for past in model.previous:
        table.add_row(past.version, past.path, "before")
    Console().print(table)
