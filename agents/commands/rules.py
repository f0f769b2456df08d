"""`profilestream rules …`."""

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agents.records import Rule

rules = typer.Typer(help="What the shop wants of lists: boost, pin, block, repeat, cap.", no_args_is_help=True)


@rules.command()
def put(
    file: Annotated[Path, typer.Argument(help="TOML or JSON file with one table for each rule.")],
    keep: Annotated[bool, typer.Option("--keep", help="Leave rules that the file does not hold as they are.")] = False,
) -> None:
    """Make the rules those of a file; what the file does not hold any more is deleted. Workers follow at once.

    A rule: kind (boost, pin, block, repeat, cap); items, categories, tags (one of them is enough); factor, and perhaps
    added_within_days, of a boost; position of a pin; days of a repeat; most of a cap; from, until.

    Example: profilestream rules put rules.toml
    """
    from agents.admin import check_topics
    from agents.rule_changes import held_rules, send_rules
    from agents.rules import read_file
    from agents.settings import read_settings
    from agents.topics import build_topics

    wanted, settings = read_file(file), read_settings()
    check_topics(settings, [build_topics(settings).rules.name])
    held, bad = held_rules(settings)
    changes: dict[bytes, Rule | None] = {name.encode(): rule for name, rule in wanted.items() if held.get(name) != rule}
    keys = {name.encode() for name in wanted}
    gone = [] if keep else [key for key in (*map(str.encode, held), *bad.values()) if key not in keys]
    send_rules(settings, changes | dict.fromkeys(gone))
    typer.echo(f"{len(changes)} rules put, {len(gone)} deleted, {len(wanted) - len(changes)} were so already")


@rules.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print a file for `rules put`.")] = False) -> None:
    """Print the rules.

    Example: profilestream rules show --json > rules.json
    """
    from rich.console import Console
    from rich.table import Table

    from agents.admin import check_topics
    from agents.rule_changes import as_fields, held_rules
    from agents.settings import read_settings
    from agents.topics import build_topics

    settings = read_settings()
    check_topics(settings, [build_topics(settings).rules.name])
    held, bad = held_rules(settings)
    if as_json:
        typer.echo(json.dumps({name: as_fields(rule) for name, rule in held.items()}, ensure_ascii=False, indent=2))
    else:
        table = Table("rule", "kind", "what", "holds")
        for name, rule in held.items():
            said = {field: value for field, value in as_fields(rule).items() if field not in {"kind", "from", "until"}}
            what = "; ".join(f"{field} {_text(value)}" for field, value in said.items())
            table.add_row(name, rule.kind, what, _holds(rule, time.time()))
        Console().print(table)
    for name in bad:
        typer.echo(f"{name} is no rule, and workers pass over it: rules delete {shlex.quote(name)}", err=True)


@rules.command()
def delete(names: Annotated[list[str], typer.Argument(help="Names of rules.")]) -> None:
    """Delete rules; exit code 1 if there is none of such a name.

    Example: profilestream rules delete spring
    """
    from agents.admin import check_topics
    from agents.rule_changes import held_rules, send_rules
    from agents.settings import read_settings
    from agents.topics import build_topics

    settings = read_settings()
    check_topics(settings, [build_topics(settings).rules.name])
    held, bad = held_rules(settings)
    if unknown := [name for name in names if name not in {*held, *bad}]:
        there = ", ".join(held) or "none"
        typer.echo(f"there is no rule {', '.join(unknown)}; rules: {there}; nothing was deleted", err=True)
        raise typer.Exit(1)
    keys = bad | {name: name.encode() for name in held}
    send_rules(settings, dict.fromkeys(keys[name] for name in names))


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _holds(rule: "Rule", now_s: float) -> str:
    if rule.until is not None and now_s >= rule.until:
        return f"no more, since {_moment(rule.until)}"
    if rule.from_time is not None and now_s < rule.from_time:
        return f"from {_moment(rule.from_time)}"
    return "now" if rule.until is None else f"until {_moment(rule.until)}"


def _moment(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at_s))
