"""The README names things that exist: commands, options, settings, metrics, reasons, targets, files."""

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from agents.cli import app
from agents.runtime.metrics import METRICS
from agents.settings import ENV_PREFIX, Settings
from agents.topics import build_topics

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"^```.*?\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL))
COMMAND_LINES = re.findall(r"(?:^|[\s/])profilestream ([a-z][^#&|\n]*)", "\n".join([BLOCKS, *SPANS]))
PLACEHOLDERS = {"PROFILESTREAM_NAME"}
DOCUMENTS = ["README.md", "SECURITY.md", "RELIABILITY.md", "ARCHITECTURE.md", "benchmarks/README.md"]


def commands() -> TyperGroup:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def known_options(words: list[str]) -> set[str]:
    """Options of the command that these words name; fails if there is no such command."""
    group = commands()
    for place, word in enumerate(words):
        assert word in group.commands, f"profilestream {' '.join(words)}: there is no {word}"
        command = group.commands[word]
        if not isinstance(command, TyperGroup):
            return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        group = command
        assert place + 1 < len(words), f"profilestream {' '.join(words)} is not a whole command"
    return set()


def test_some_commands_were_found() -> None:
    assert len(COMMAND_LINES) >= 6


@pytest.mark.parametrize("line", sorted({line.strip() for line in COMMAND_LINES}))
def test_a_command_in_the_readme_exists_with_its_options(line: str) -> None:
    words = line.split()
    used = {word.split("=")[0] for word in words if word.startswith("--")}
    assert used - {"--help"} <= known_options(words)


def test_every_command_is_in_the_readme() -> None:
    missing = [name for name in commands().commands if not re.search(rf"(profilestream |`|make ){name}\b", README)]
    assert missing == []


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


def sources(*folders: str) -> str:
    """All Python code and scripts in these folders."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ""}]
    return "\n".join(path.read_text() for path in paths if path.is_file())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_settings_in_the_documents_exist(name: str) -> None:
    used = set(re.findall(r"PROFILESTREAM_[A-Z_]+", (ROOT / name).read_text()))
    unknown = used - {ENV_PREFIX + field.upper() for field in Settings.model_fields} - PLACEHOLDERS
    code = sources("agents", "tests", "scripts")
    assert {variable for variable in unknown if variable not in code} == set()


def shown(value: object) -> str:
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)


def test_defaults_in_the_table_of_settings_are_the_defaults() -> None:
    rows = re.findall(r"^\| `PROFILESTREAM_([A-Z_]+)`[^|]*\|([^|]*)\|", README, re.MULTILINE)
    assert len(rows) >= 8
    defaults = {name: shown(Settings.model_fields[name.lower()].default) for name, _ in rows}
    assert {name: default.strip().strip("`") for name, default in rows} == defaults


def test_every_reason_of_a_dead_letter_is_in_the_readme() -> None:
    reasons = set(re.findall(r'RecordError\(\s*"([a-z_]+)"', sources("agents")))
    assert len(reasons) >= 10
    assert {reason for reason in reasons if f"`{reason}`" not in README} == set()


def test_topics_for_applications_are_in_the_readme() -> None:
    topics = build_topics(Settings.model_construct())
    missing = [topic.name for topic in topics.all() if not re.search(rf"\b{topic.name}\b", README)]
    assert [name for name in missing if not name.endswith("changelog")] == []


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {match for text in (BLOCKS, *SPANS) for match in re.findall(r"(?:^|\n)make ([a-z-]+)", text)}
    assert used
    assert used <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files(name: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / name).read_text())
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []
