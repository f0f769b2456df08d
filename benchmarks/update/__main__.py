"""Profile update, side by side on one broker: the product's runtime layer, Kafka Streams, Quix Streams, Bytewax, Faust.

    python -m benchmarks.update --prepare        once: the peers' environment, the Java peer
    python -m benchmarks.update [--events N] [--repeats N] [--only NAME ...] [--out FILE]

A broker of its own is started; nothing else should run on the machine. Peers that are not prepared are named and left
out.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from rich.console import Console

from agents.admin import create_topics
from agents.settings import read_settings
from agents.topics import build_topics
from benchmarks import workload
from benchmarks.harness import kafka, machine
from benchmarks.update.answers import CHECKED, compare, expected, read
from benchmarks.update.measure import create, delete, measure
from benchmarks.update.prepare import PeerMissingError, prepare, versions
from benchmarks.update.programs import GROUP_PREFIX, PRODUCT, PROGRAMS, Program, Run
from benchmarks.update.summary import lines_of, ratios, summary, table_of

REPEATS = 2
RESULTS = Path(__file__).resolve().parent.parent / "results" / "update.json"
console = Console()
console.width = max(console.width, 100)  # a narrower one would break the table's words


def compared(folder: Path, port: int, programs: list[Program], count: int, repeats: int) -> dict[str, Any]:
    """All programs on the same events, as often as is said; every second time in the other order."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    checks: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    wanted = expected(workload.events(min(count, CHECKED)))
    with kafka(folder / "kafka", port) as broker:
        settings = read_settings(bootstrap_servers=broker.bootstrap, topic_prefix=GROUP_PREFIX, data_dir=folder)
        create_topics(settings)
        source = build_topics(settings).events
        workload.produce(settings, count)
        for number in range(1, repeats + 1):
            for program in programs if number % 2 else reversed(programs):
                if program.name in missing:
                    continue
                run, events = Run(program.name, number, folder), program.events(count)
                create(settings, run, source.partitions)
                try:
                    figures = measure(broker, settings, program, run, source, events)
                    if program.name not in checks:
                        answers = read(settings, run.answers, source.partitions)
                        checks[program.name] = compare(wanted, answers, all_of_them=events == count)
                except (PeerMissingError, RuntimeError, SubprocessError) as exc:  # the others are worth their minutes
                    console.print(f"{program.name} is left out: {exc}", style="yellow", highlight=False, markup=False)
                    missing[program.name] = str(exc)
                    continue
                finally:
                    delete(settings, run)
                    shutil.rmtree(run.state, ignore_errors=True)
                runs[program.name].append(figures)
                console.print(f"{run.name}: {figures['events_per_s']:,} events/s", highlight=False)
    found = {one.name: summary(runs[one.name], one.guarantee) for one in programs if one.name in runs}
    for name, check in checks.items():
        found[name]["answers"] = check
    return {"events": count, "programs": found, "ratios": ratios(found), "left_out": missing}


def main() -> int:
    """Run the benchmark, print it, write it to a file; 1 if answers differ or the product's program failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", action="store_true", help="make what the peers need, and end")
    parser.add_argument("--events", type=int, default=workload.LARGEST)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--only", nargs="+", choices=[one.name for one in PROGRAMS], help="these programs alone")
    parser.add_argument("--port", type=int, default=19492)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.prepare:
        failed = prepare()
        for name, reason in failed.items():
            console.print(f"{name}: {reason}", style="yellow", highlight=False)
        return 1 if failed else 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the broker must end with this process
    programs = [one for one in PROGRAMS if not arguments.only or one.name in arguments.only]
    with tempfile.TemporaryDirectory() as scratch:
        result = compared(Path(scratch), arguments.port, programs, arguments.events, arguments.repeats)
    result["machine"] = machine()
    result["machine"]["versions"] |= versions()
    console.print(table_of(result["programs"]))
    for line in lines_of(result["ratios"]):
        console.print(line, highlight=False)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    differ = {name: of["answers"]["users_that_differ"] for name, of in result["programs"].items() if "answers" in of}
    for name, users in differ.items():
        if users:
            console.print(f"{name}: answers of {users} users differ", style="red", highlight=False)
    return 1 if any(differ.values()) or PRODUCT in result["left_out"] else 0


if __name__ == "__main__":
    sys.exit(main())
