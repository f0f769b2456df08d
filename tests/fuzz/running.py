"""Runs one decoder on many inputs."""

import random
from dataclasses import dataclass, field

from tests.fuzz.mutation import inputs
from tests.fuzz.taking import Decoder

FINDINGS_KEPT = 5


@dataclass
class Result:
    """What became of the inputs."""

    inputs: int = 0
    accepted: int = 0
    findings: list[tuple[bytes, str]] = field(default_factory=list)
    """(input, what went wrong): the first few."""
    wrong: int = 0


def run(decoder: Decoder, count: int, seed: int) -> Result:
    """Feed `count` inputs; the same seed makes the same ones."""
    chance, make, result = (
        random.Random(f"{decoder.name}-{seed}"),
        inputs(decoder.seeds, packed=decoder.packed),
        Result(),
    )
    for _ in range(count):
        value = make(chance)
        try:
            result.accepted += decoder.take(value)
        except Exception as exc:  # whatever it is, it is a finding
            result.wrong += 1
            if len(result.findings) < FINDINGS_KEPT:
                result.findings.append((value, f"{type(exc).__name__}: {exc}"[:300]))
    result.inputs = count
    return result
