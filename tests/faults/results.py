"""What came of each seed, in one JSON file, so that a long run can be interrupted and goes on where it was."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agents.local.cache import cache_folder
from tests.broker.support import ROOT

CODE = ("agents", "models", "tests/broker", "tests/faults")


@dataclass(frozen=True)
class Result:
    """One seed. Nothing in `differences`: everything was exact."""

    seed: int
    code: str
    """Hash of the code that ran: what another code did says nothing."""
    traffic_s: float
    events: int = 0
    requests: int = 0
    records: dict[str, int] = field(default_factory=dict)
    """Of events and requests in the log: absorbed, bad, doubles, misplaced."""
    lists: int = 0
    expired: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    restarts: int = 0
    """Starts of workers after their first."""
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)


def results_file() -> Path:
    """Where results are by default: outside the clone."""
    return cache_folder() / "faults" / "results.json"


def code_hash() -> str:
    """Short hash of all code that takes part."""
    digest = hashlib.sha256()
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


class Results:
    """The results in a file; newest of each seed and code."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        self._rows = [Result(**row) for row in rows]

    def passed(self, seed: int, code: str, traffic_s: float) -> bool:
        """Whether this code has passed this seed already."""
        known = [row for row in self._rows if (row.seed, row.code, row.traffic_s) == (seed, code, traffic_s)]
        return bool(known) and not known[-1].differences

    def add(self, result: Result) -> None:
        """Note a result; on disk when this returns."""
        same = (result.seed, result.code, result.traffic_s)
        self._rows = [row for row in self._rows if (row.seed, row.code, row.traffic_s) != same]
        self._rows.append(result)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".tmp")
        scratch.write_text(json.dumps([asdict(row) for row in self._rows], indent=1) + "\n")
        scratch.replace(self.path)
