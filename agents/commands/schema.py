"""`profilestream schema`."""

from pathlib import Path
from typing import Annotated

import typer


def schema(
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = Path("deploy/schemas"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a file differs.")] = False,
) -> None:
    """Write the JSON Schema of each public record, and one AsyncAPI document.

    Example: profilestream schema --check
    """
    from agents.schemas import schema_files
    from agents.settings import Settings

    differing = []
    for name, content in schema_files(Settings.model_construct()).items():
        path = folder / name
        if check:
            if not path.exists() or path.read_text() != content:
                differing.append(str(path))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            typer.echo(f"wrote {path}")
    if differing:
        typer.echo("differ from the record types: " + ", ".join(differing) + "\nrun: profilestream schema", err=True)
        raise typer.Exit(1)
