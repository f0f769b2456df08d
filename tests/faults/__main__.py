"""`make faults`: seeds one after the other on three nodes, until all are done, one fails, or the time is over."""

import shutil
import sys
import time
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from tests.faults.nodes import running_nodes
from tests.faults.results import Result, Results, code_hash, results_file
from tests.faults.seeds import TRAFFIC_S, run_seed

SHORT = 3
"""Seeds that a run without options, and every run of the tests, plays."""


app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    seeds: Annotated[
        int, typer.Option(help="How many, from --first on; those that passed already are left out.")
    ] = SHORT,
    first: Annotated[int, typer.Option(help="The first seed.")] = 1,
    seed: Annotated[int | None, typer.Option(help="This one alone, also if it passed: reproduces a failure.")] = None,
    minutes: Annotated[float, typer.Option(help="Go on with further seeds for so long; 0: only --seeds.")] = 0.0,
    traffic_s: Annotated[float, typer.Option("--seconds", help="How long events flow in each seed.")] = TRAFFIC_S,
    results: Annotated[Path | None, typer.Option(help="The file of results (default: in the cache folder).")] = None,
) -> None:
    """Play seeds; exit code 1 if one is not exact. Interrupted, it goes on where it was."""
    kept, code = Results(results or results_file()), code_hash()
    end = time.monotonic() + minutes * 60
    numbers = [seed] if seed is not None else (count(first) if minutes else islice(count(first), seeds))
    todo = (number for number in numbers if seed is not None or not kept.passed(number, code, traffic_s))
    folder = kept.path.parent
    failed = []
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="nodes-", dir=folder) as place, running_nodes(Path(place)) as nodes:
        for number in todo:
            logs = folder / f"seed-{number}-{time.strftime('%Y%m%dT%H%M%S')}"
            logs.mkdir(parents=True)
            result = run_seed(number, nodes, logs, traffic_s)
            kept.add(result)
            _tell(result, logs)
            if result.differences:
                failed.append(number)
            else:
                shutil.rmtree(logs)
            if minutes and time.monotonic() > end:
                break
    print(f"results: {kept.path}")
    if failed:
        sys.exit(1)


def _tell(result: Result, logs: Path) -> None:
    faults = ", ".join(f"{name} {times}" if times > 1 else name for name, times in sorted(result.faults.items()))
    state = "differs" if result.differences else "exact"
    print(
        f"seed {result.seed}: {state}; {result.events} events, {result.lists} lists, {result.expired} expired, "
        f"{result.kills} kills, {result.restarts} restarts, {result.seconds:.0f} s ({faults})",
        flush=True,
    )
    for difference in result.differences:
        print(f"  {difference}", flush=True)
    if result.differences:
        print(
            f"  logs: {logs}\n  again: make faults ARGS='--seed {result.seed} --seconds {result.traffic_s:g}'",
            flush=True,
        )


if __name__ == "__main__":
    app()
