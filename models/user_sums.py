"""Sums over users from which rates come with their errors, without keeping the users.

A user's counts are a vector y. Kept is M = Σ_users y yᵀ, in integers: what one user adds can be taken off again, and a
changed user is a difference. y also holds a 1 and two marks, so that M has the number of users and the plain sums too.

A rate Σx / Σn, such as hits of events, is a ratio of sums over users, who are the draws. Its standard error is the
linearised one of a cluster sample (Cochran 1977, 3.12), as in `models.accuracy`: with r = Σx / Σn, c users with n > 0,

    error² = c / (c − 1) · (Σx² − 2r·Σxn + r²·Σn²) / (Σn)²
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.accuracy import Estimate

Ints = NDArray[np.int64]

Counter = Literal["lists", "places", "shown", "clicked", "bought", "skipped", "events", "hits"]
"""What is counted of a user: lists sent, their places, outcomes of places; events compared with a list, those in it."""
COUNTERS: tuple[Counter, ...] = get_args(Counter)
AT: dict[Counter, int] = {name: place for place, name in enumerate(COUNTERS)}
_MARKS = 3
_ONE, _HAS_PLACES, _HAS_EVENTS = range(_MARKS)
_MARKED: dict[Counter, int] = {"places": _HAS_PLACES, "events": _HAS_EVENTS}
SIZE = _MARKS + len(COUNTERS)
UPPER = np.triu_indices(SIZE)
"""What must be kept of M, which is symmetric."""
Z95 = 1.959964
"""Of the standard normal distribution 95 % lie within ± this."""


def moments_of(counts: Ints) -> Ints:
    """M [SIZE, SIZE] of users with these counts [n, len(COUNTERS)]; who has none at all adds nothing."""
    places, events = counts[:, AT["places"]] > 0, counts[:, AT["events"]] > 0
    vectors = np.column_stack([counts.any(1), places, events, counts]).astype(np.int64)
    return vectors.T @ vectors


def users_of(moments: Ints) -> int:
    """How many users counted."""
    return int(moments[_ONE, _ONE])


def total(moments: Ints, counter: Counter) -> int:
    """Sum of a counter over the users."""
    return int(moments[_ONE, _MARKS + AT[counter]])


def rate(of: Ints, over: Ints, counted: Counter, base: Literal["places", "events"]) -> Estimate:
    """Σ counted / Σ base with its standard error; NaN without a base, the error also with fewer than two users.

    `of` has the counted part, `over` all users; for a rate of the whole they are the same. Where they are not, the
    `base` of each user in `of` must be that in `over`.
    """
    x, n = _MARKS + AT[counted], _MARKS + AT[base]
    sum_x, sum_n, users = int(of[_ONE, x]), int(over[_ONE, n]), int(over[_ONE, _MARKED[base]])
    if not sum_n:
        return Estimate(math.nan, math.nan)
    value = Fraction(sum_x, sum_n)
    if users < 2:
        return Estimate(float(value), math.nan)
    squares = (
        int(of[x, x]) - 2 * value * int(of[x, n]) + value * value * int(over[n, n])
    )  # exact: it cannot get negative
    return Estimate(float(value), math.sqrt(Fraction(users, users - 1) * squares) / sum_n)


@dataclass(frozen=True)
class Interval:
    """An estimate between the ends of its 95 % confidence interval; NaN: not known."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Of a difference: whether it is more than noise. One in twenty that is none will seem so."""
        return self.low > 0 or self.high < 0


def interval(estimate: Estimate) -> Interval:
    """The 95 % interval of an estimate, by the normal distribution: good from some dozens of users on."""
    reach = Z95 * estimate.error
    return Interval(estimate.value, estimate.value - reach, estimate.value + reach)


def difference(one: Estimate, other: Estimate) -> Interval:
    """How much larger the first is. The two must be of different users, whose errors are independent."""
    return interval(Estimate(one.value - other.value, math.hypot(one.error, other.error)))
