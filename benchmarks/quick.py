"""Has the lead over plain Faust shrunk? Both take the same events in one run, so that the machine's speed cancels out.

    python -m benchmarks.quick [--record]

Profiles and co-counts of 200,000 events beside the idiomatic Faust agent on a tenth of them; the ratio is compared with
that of `results/quick.json`. A ratio that is a fifth lower is told in a warning, and nothing fails: a busy machine can
do that, too. `--record` keeps the ratio as the one to compare with.
"""

import argparse
import json
import signal
import tempfile
from pathlib import Path

from benchmarks.harness import kafka, machine
from benchmarks.profiles import faust_plain, profiles_throughput

EVENTS, PEER_EVENTS = 200_000, 20_000
FALLEN = 0.8
RESULTS = Path(__file__).parent / "results" / "quick.json"


def main() -> None:
    """Run, print, and compare or record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--port", type=int, default=19792)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the broker and the workers must end with this process
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with kafka(folder / "kafka", arguments.port) as broker:
            ours = profiles_throughput(broker, folder, EVENTS)["events_per_s"]
            theirs = faust_plain(broker, folder, PEER_EVENTS)["events_per_s"]
    ratio = round(ours / theirs, 1)
    print(f"profiles {ours:,} events/s, plain Faust {theirs:,} events/s: {ratio} times as fast")
    if arguments.record:
        told = {"profiles_per_s": ours, "faust_plain_per_s": theirs, "ratio": ratio, "machine": machine()}
        RESULTS.write_text(json.dumps(told, indent=2) + "\n")
        return
    recorded = json.loads(RESULTS.read_text())["ratio"]
    if ratio < FALLEN * recorded:
        print(f"WARNING: the ratio was {recorded} when it was recorded, and has fallen by more than a fifth")


if __name__ == "__main__":
    main()
