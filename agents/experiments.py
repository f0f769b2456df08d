"""What live evaluation knows of each variant, read from the changelog of the table `live`, as rates with intervals."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agents.live_evaluation import read_moments, slice_of
from agents.live_users import Slice
from agents.lookup import read_whole
from agents.settings import Settings
from agents.topics import build_topics
from models.accuracy import Estimate
from models.experiment import DEFAULT
from models.live_hits import ALL, BANDS, LAST_BAND
from models.user_sums import COUNTERS, Counter, Interval, Ints, difference, interval, rate, total, users_of

RATES: dict[str, tuple[Counter, Literal["places", "events"]]] = {
    "hit_rate": ("hits", "events"),
    "click_rate": ("clicked", "places"),
    "purchase_rate": ("bought", "places"),
}
"""Rate → what is counted, of what."""

Sums = Mapping[Slice, Ints]


def read_sums(settings: Settings) -> dict[Slice, Ints]:
    """The sums of the settings' experiment over all partitions, as committed now. Raises `BrokerError`."""
    topic = build_topics(settings).live_changelog
    sums: dict[Slice, Ints] = {}
    for partition in range(topic.partitions):
        newest = {
            found: record.value
            for record in read_whole(settings, topic, partition)
            if record.value is not None and (found := slice_of(settings.experiment, record.key or b"")) is not None
        }
        for place, value in newest.items():
            moments = read_moments(value)
            sums[place] = sums[place] + moments if place in sums else moments
    return sums


@dataclass(frozen=True)
class VariantReport:
    """One variant, or one slice of it."""

    variant: str
    slice: str
    users: int
    counts: dict[Counter, int]
    rates: dict[str, Interval]
    differences: dict[str, Interval]
    """Rate → how much larger it is than that of the default; empty for the default itself."""

    def as_json(self) -> dict[str, Any]:
        """For JSON; what is not known is null."""
        return {
            "variant": self.variant,
            "slice": self.slice,
            "users": self.users,
            **{str(counter): count for counter, count in self.counts.items()},
            **{name: _as_json(found) for name, found in self.rates.items()},
            "difference_to_default": {
                name: {**_as_json(found), "more_than_noise": found.excludes_zero}
                for name, found in self.differences.items()
            },
        }


def _as_json(found: Interval) -> dict[str, float | None]:
    ends = {"value": found.value, "low": found.low, "high": found.high}
    return {name: None if math.isnan(value) else round(value, 9) for name, value in ends.items()}


def report(sums: Sums) -> Iterator[VariantReport]:
    """The variants, the default first; then their slices by place and by source."""
    places = sorted(sums, key=lambda place: (*_order(place[1]), place[0] != DEFAULT, place[0]))
    for variant, name in places:
        moments = sums[variant, name]
        rates = {found: _rate(sums, variant, name, found) for found in RATES}
        compared = variant != DEFAULT and (DEFAULT, name) in sums
        yield VariantReport(
            variant,
            name,
            users_of(moments),
            {counter: total(moments, counter) for counter in COUNTERS if name == ALL or counter not in _OF_ALL},
            {found: interval(one) for found, one in rates.items()},
            {found: difference(one, _rate(sums, DEFAULT, name, found)) for found, one in rates.items() if compared},
        )


_BANDS = [f"place:{band}" for band in dict.fromkeys((*BANDS, LAST_BAND))]


def _order(name: str) -> tuple[bool, int, str]:
    """Where a slice belongs: the whole, then places in the order of a list, then sources by name."""
    return name != ALL, _BANDS.index(name) if name in _BANDS else len(_BANDS), name


_OF_ALL: tuple[Counter, ...] = ("lists", "events")
"""What no slice has a share of."""


def _rate(sums: Sums, variant: str, name: str, found: str) -> Estimate:
    """A slice's hits are a share of all events, for an event that hits nothing is of no slice."""
    counted, base = RATES[found]
    over = sums.get((variant, ALL), sums[variant, name]) if base == "events" else sums[variant, name]
    return rate(sums[variant, name], over, counted, base)
