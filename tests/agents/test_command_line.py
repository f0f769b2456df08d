"""Commands: help, wrong use, a broker that is away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.cli import app
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    ["kafka", "start"], ["kafka", "stop"], ["kafka", "status"], ["topics", "create"], ["topics", "check"],
    ["worker", "profiles"], ["worker", "similarity"], ["worker", "scorer"], ["worker", "learner"],
    ["worker", "evaluation"], ["experiments"],
    ["dead-letters", "show"], ["dead-letters", "retry"], ["dead-letters", "drop"], ["export"], ["forget"],
    ["replay"], ["request"], ["watch"], ["profile"], ["similar"], ["verify"], ["acls"], ["schema"], ["demo"],
    ["evaluate"], ["train"], ["evaluate-model"], ["rules", "put"], ["rules", "show"], ["rules", "delete"],
    ["models", "announce"], ["models", "rollback"], ["models", "show"],
]  # fmt: skip
TIMEOUT_S = 120


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agents.cli", *arguments],
        env={**os.environ, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example: " in result.output
    assert " ".join(["profilestream", *command]) in " ".join(result.output.split())


def test_every_command_is_listed_here() -> None:
    registered = [("", command) for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        registered += [(group.name or "", command) for command in group.typer_instance.registered_commands]
    names = [
        " ".join([group, command.name or command.callback.__name__]).strip()
        for group, command in registered
        if command.callback is not None
    ]
    assert sorted(names) == sorted(" ".join(command) for command in COMMANDS)


@pytest.mark.parametrize("arguments", [["request"], ["replay", "sample", "--speed", "-1"], ["worker", "nobody"]])
def test_wrong_use_is_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["topics", "check"],
        ["topics", "create"],
        ["replay", "sample"],
        ["request", "u"],
        ["profile", "u"],
        ["export", "u"],
        ["forget", "u"],
        ["dead-letters", "show"],
        ["similar", "i"],
        ["verify"],
    ],
    ids=" ".join,
)
def test_a_broker_that_is_away_is_named(arguments: list[str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = run(*arguments, PROFILESTREAM_BOOTSTRAP_SERVERS=address)
    assert ended.returncode == 4
    assert address in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_wrong_setting_is_named() -> None:
    ended = run("topics", "check", PROFILESTREAM_USER_PARTITIONS="many")
    assert ended.returncode == 2
    assert "PROFILESTREAM_USER_PARTITIONS='many'" in ended.stderr


def test_a_missing_file_is_named() -> None:
    ended = run("replay", "nowhere.csv", PROFILESTREAM_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert ended.returncode in {2, 4}
    assert "Traceback" not in ended.stderr


def test_the_status_of_a_broker_that_does_not_run(cache: Path) -> None:
    ended = run("kafka", "status", "--json", PROFILESTREAM_CACHE=str(cache))
    assert ended.returncode == 1
    assert '"running": false' in ended.stdout
