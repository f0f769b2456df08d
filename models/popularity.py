"""Popularity that fades by the count of events: it halves after `half_life` events of the whole stream."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fade(value: Floats, clock: Floats, now: float, half_life: float) -> Floats:
    """Faded counts `value`, valid at event counts `clock`, at the event count `now`."""
    return value * np.exp2((clock - now) / half_life)


def fade_one(value: float, clock: float, now: float, half_life: float) -> float:
    """`fade` of one count."""
    return value * math.exp2((clock - now) / half_life)
