"""The long run: python -m tests.fuzz --inputs 1000000 [--decoder Profile] [--seed 7]"""

import argparse
import sys
import time

from tests.fuzz.decoders import DECODERS
from tests.fuzz.running import run


def main() -> int:
    """Print a line for each decoder; exit code 1 if there is a finding."""
    parser = argparse.ArgumentParser(description="Feed every decoder nearly valid and random bytes.")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="inputs for each decoder")
    parser.add_argument("--decoder", choices=[decoder.name for decoder in DECODERS], help="only this one")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other inputs")
    options = parser.parse_args()
    wrong = 0
    print(f"{'decoder':<16}{'inputs':>10}{'accepted':>10}{'refused':>10}{'findings':>10}{'seconds':>9}")
    for decoder in DECODERS:
        if options.decoder not in {None, decoder.name}:
            continue
        began = time.perf_counter()
        result = run(decoder, options.inputs, options.seed)
        refused, seconds = result.inputs - result.accepted - result.wrong, time.perf_counter() - began
        counts = f"{result.inputs:>10}{result.accepted:>10}{refused:>10}{result.wrong:>10}"
        print(f"{decoder.name:<16}{counts}{seconds:>9.1f}", flush=True)
        for value, what in result.findings:
            print(f"    {what}\n    {value[:200]!r}")
        wrong += result.wrong
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
