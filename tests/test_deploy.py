"""What can be checked of `deploy/` without Docker: files parse, commands exist, settings are real."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from agents.cli import app
from agents.schemas import schema_files
from agents.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
WORKERS = {name: service for name, service in COMPOSE["services"].items() if service.get("image") == "profilestream"}


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_the_command_of_a_service_exists(name: str) -> None:
    result = CliRunner().invoke(app, [*WORKERS[name]["command"], "--help"])
    assert result.exit_code == 0, result.output


def test_settings_are_settings() -> None:
    known = {ENV_PREFIX + field.upper() for field in Settings.model_fields}
    used = {name for service in WORKERS.values() for name in service["environment"]}
    used |= set(re.findall(r"PROFILESTREAM_[A-Z_]+", DOCKERFILE))
    assert used <= known


def test_every_worker_has_an_identity_and_a_volume_of_its_own() -> None:
    workers = [service for name, service in WORKERS.items() if name != "topics"]
    volumes = [volume for service in workers for volume in service["volumes"]]
    assert len(volumes) == len(set(volumes)) == len(workers)
    assert all(volume.split(":")[0] in COMPOSE["volumes"] for volume in volumes)
    identities = {(service["command"][1], service["environment"]["PROFILESTREAM_INSTANCE"]) for service in workers}
    assert len(identities) == len(workers)


def test_the_image_copies_what_is_there_and_runs_as_nobody_special() -> None:
    sources = [
        source
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert all((ROOT / source).exists() for source in sources)
    assert re.search(r"^USER (?!root)\w+", DOCKERFILE, re.MULTILINE)


def test_nothing_is_open_to_other_machines_unless_told() -> None:
    """The image listens on all of a container's addresses; compose publishes none of them beyond this machine."""
    assert Settings.model_fields["http_host"].default == "127.0.0.1"
    assert Settings.model_fields["http_port"].default == 0
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_schemas_are_those_of_the_record_types() -> None:
    for name, content in schema_files(Settings.model_construct()).items():
        path = ROOT / "deploy" / "schemas" / name
        assert path.read_text() == content, "run: profilestream schema"
        json.loads(content)
