"""Counts of explored items in the topic `models`: from what the learner knows to a record, and back.

One record with the key `exposure` holds clicks and skips of each item that was shown as a new one, with the offsets of
`outcomes` up to which they count: whoever reads it has counts and knows exactly what they are of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from agents.checks import MOST_COUNT
from agents.errors import RecordError
from agents.packed import EXPOSURE_STATE, ExposureState, pack_ints, unpack_ints
from agents.records import ModelVersion
from models.exposure import Counts

NAME = "exposure"
EXPOSURE = NAME.encode()
MOST_BYTES, BYTES_AN_ITEM = 300_000, 12
"""The record is a third longer, as base64, and must stay below half a megabyte."""


@dataclass(frozen=True)
class Exposure:
    """What is known, and up to where it was counted."""

    counts: Counts = field(default_factory=dict)
    offsets: Mapping[int, int] = field(default_factory=dict)
    """Partition of `outcomes` → next offset."""


def write_exposure(exposure: Exposure) -> ModelVersion:
    """The record to publish."""
    numbers = np.array(list(exposure.counts.values()), np.int64).reshape(-1, 2)
    state = ExposureState(
        list(exposure.counts), pack_ints(numbers[:, 0]), pack_ints(numbers[:, 1]), dict(exposure.offsets)
    )
    return ModelVersion(name=NAME, version=str(int(numbers.sum())), state=EXPOSURE_STATE.write(state))


def read_exposure(model: ModelVersion) -> Exposure:
    """What a record says. Raises `RecordError` (`bad_version`, `bad_packed`)."""
    kept = EXPOSURE_STATE.read(model.state)
    try:
        clicks, skips = unpack_ints(kept.clicks), unpack_ints(kept.skips)
    except (ValueError, IndexError, KeyError) as exc:
        raise RecordError("bad_packed", f"ExposureState: {exc}") from exc
    if not len(clicks) == len(skips) == len(kept.ids):
        raise RecordError("bad_packed", "ExposureState: counts do not fit the items")
    if any(not 0 <= int(bound(initial=0)) < MOST_COUNT for each in (clicks, skips) for bound in (each.min, each.max)):
        raise RecordError("bad_packed", "ExposureState: a count is out of range")
    return Exposure(dict(zip(kept.ids, zip(clicks.tolist(), skips.tolist(), strict=True), strict=True)), kept.offsets)
