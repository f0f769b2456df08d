"""`profilestream acls`."""

from typing import Annotated

import typer


def acls(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="Kinds of client, such as profiles or events-writer; none: all.")
    ] = None,
    principal_prefix: Annotated[
        str, typer.Option(help="A client's user is this and its kind: profilestream-scorer.")
    ] = "profilestream-",
    command_config: Annotated[
        str, typer.Option(help="Properties file with which kafka-acls.sh logs in as administrator.")
    ] = "",
) -> None:
    """Print a script of kafka-acls.sh commands that gives each kind of client its rights, and no more.

    Names of topics, groups and transactions are those of the settings. An application that reads must begin the name of
    its consumer group with the name of its user.

    Example: profilestream acls --command-config admin.properties | sh
    """
    import shlex

    from agents.access import KINDS, acl_script
    from agents.errors import SettingsError
    from agents.settings import read_settings

    if unknown := set(kinds or ()) - set(KINDS):
        raise SettingsError(f"no such kind of client: {', '.join(sorted(unknown))}\n  Kinds: {', '.join(KINDS)}")
    options = f"--command-config {shlex.quote(command_config)}" if command_config else ""
    typer.echo(acl_script(read_settings(), kinds or KINDS, principal_prefix, options), nl=False)
