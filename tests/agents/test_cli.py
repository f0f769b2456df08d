"""Commands that need no worker: schemas, files sent to a broker, and wrong use."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.cli import app
from agents.settings import read_settings
from agents.topics import build_topics
from tests.agents.test_command_line import run
from tests.broker.support import read_all
from tests.conftest import free_port

EVENTS = "user_id,item_id,timestamp\nu1,i1,1\nu2\nu2,i2,soon\nu3,i3,3\n"
ITEMS = '{"item_id": "i1", "title": "Mug"}\n{"item_id": "i3"}\n'


def test_the_schemas_of_the_repository_are_those_of_the_records() -> None:
    assert run("schema", "--check").returncode == 0


def test_a_schema_that_differs_is_named(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["schema", "--folder", str(tmp_path)]).exit_code == 0
    (tmp_path / "event.schema.json").write_text("{}")
    (tmp_path / "item.schema.json").unlink()
    result = CliRunner().invoke(app, ["schema", "--folder", str(tmp_path), "--check"])
    assert result.exit_code == 1
    assert "event.schema.json" in result.stderr
    assert "item.schema.json" in result.stderr
    assert "user.schema.json" not in result.stderr


def test_without_a_command_there_is_help() -> None:
    result = CliRunner().invoke(app, [])
    assert "replay" in result.output
    assert "Traceback" not in result.output


def test_the_version_is_one_line() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, len(result.output.splitlines())) == (0, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["profile"],
        ["similar", "a", "--k", "0"],
        ["request", "u", "--k", "101"],
        ["request", "u", "--timeout", "0"],
        ["watch", "--count", "-1"],
        ["demo", "--events", "10"],
        ["topics", "delete"],
        ["kafka", "start", "--port", "many"],
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_watching_a_broker_that_is_away_ends(unique: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = run("watch", PROFILESTREAM_BOOTSTRAP_SERVERS=address, PROFILESTREAM_TOPIC_PREFIX=unique)
    assert ended.returncode == 4
    assert address in ended.stderr


def test_a_file_of_an_unknown_kind_is_wrong_use(embedded: str, tmp_path: Path) -> None:
    (tmp_path / "events.xls").touch()
    variables = {"PROFILESTREAM_BOOTSTRAP_SERVERS": embedded, "PROFILESTREAM_EMBEDDED": "true"}
    ended = run("replay", str(tmp_path / "events.xls"), **variables)
    assert ended.returncode == 2
    assert ".jsonl, .csv, .tsv or .parquet" in ended.stderr


def test_rows_that_cannot_be_read_are_told_and_the_others_are_sent(embedded: str, unique: str, tmp_path: Path) -> None:
    events, items = tmp_path / "events.csv", tmp_path / "items.jsonl"
    events.write_text(EVENTS)
    items.write_text(ITEMS)
    ended = run(
        "replay", str(events), "--items", str(items), "--event-type", "view",
        PROFILESTREAM_BOOTSTRAP_SERVERS=embedded, PROFILESTREAM_EMBEDDED="true", PROFILESTREAM_TOPIC_PREFIX=unique,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert "2 catalogue entries delivered" in ended.stderr
    assert "2 events delivered" in ended.stderr
    assert "2 rows could not be read" in ended.stderr
    assert "line 3:" in ended.stderr
    assert "line 4:" in ended.stderr
    settings = read_settings(bootstrap_servers=embedded, embedded=True, topic_prefix=unique)
    topics = build_topics(settings)
    assert {record.key for record in read_all(settings, topics.items.name)} == {b"i1", b"i3"}
    sent = {record.key: record.value for record in read_all(settings, topics.events.name)}
    assert sent == {
        b"u1": b'{"user_id":"u1","item_id":"i1","timestamp":1.0,"event_type":"view"}',
        b"u3": b'{"user_id":"u3","item_id":"i3","timestamp":3.0,"event_type":"view"}',
    }
