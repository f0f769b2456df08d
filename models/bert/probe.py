"""The probe of a model: a few inputs and what the model said of them when it was written.

A scorer that loads it, on another machine, with other libraries and another precision, must get the same.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.bert.cross_encoder import CrossEncoder
from models.bert.folder import ModelError
from models.bert.tokens import Texts

FILE = "probe.json"
INPUTS = 16
TOLERANCE = 0.02
"""Of chances: bfloat16 differs from float32 by less than half of it."""


def write_probe(encoder: CrossEncoder, folder: Path, inputs: Sequence[Texts]) -> None:
    """Keep the first `INPUTS` inputs, and what the model says of them, in its folder."""
    inputs = inputs[:INPUTS]
    chances = encoder.chances(inputs).round(6).tolist()
    told = [{"texts": list(texts), "chances": row} for texts, row in zip(inputs, chances, strict=True)]
    (folder / FILE).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def check_probe(encoder: CrossEncoder, folder: Path) -> None:
    """Raise ModelError if the model does not say what it did; without a probe, if it says nothing sensible."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        inputs = [tuple(one["texts"]) for one in told]
        expected = np.array([one["chances"] for one in told], np.float32).reshape(len(told), -1)
    except FileNotFoundError:
        inputs, expected = [("a red mug", "a green cup")], None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ModelError(f"{folder / FILE} cannot be read: {exc}") from exc
    chances = encoder.chances(inputs)
    if not np.isfinite(chances).all():
        raise ModelError(f"{encoder.version} says what is no number: its weights are broken")
    if expected is None:
        return
    if chances.shape != expected.shape:
        raise ModelError(f"{folder / FILE} is of another model: it has other labels")
    apart = float(np.abs(chances - expected).max(initial=0))
    if not apart <= TOLERANCE:
        raise ModelError(
            f"{encoder.version} differs from its probe by {apart:.3f}: the folder's files do not belong together, or "
            "were written by another version of the libraries"
        )
