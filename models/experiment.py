"""Which variant of an experiment a user is in: a function of the user's id, the experiment's name and the shares.

Every user is a point of a circle, by a hash. Each variant owns a part of the circle that begins at an anchor and grows
in one direction with its share; what nobody owns is `DEFAULT`:

    0 ├─ 1st ─►      ◄─ 4th ─┤ 1/2 ├─ 3rd ─►      ◄─ 2nd ─┤ 1      the 5th and 6th begin at 1/4, the 7th at 3/4, …

Two variants that grow into one gap meet only when the gap is full. So while it is not, nobody moves from one variant to
another: users come from the default when a share grows and go there when it shrinks, as few as the shares allow. Two
variants always have room; three or four as long as the two of each half fit it (a quarter each always does); in general
2^m variants of at most 2^−m. Beyond its room a variant takes the next free part, and later ones give way. A variant
that is added last takes users from the default alone, whatever the shares.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from hashlib import blake2b

DEFAULT = "default"
"""The variant of whoever is in no other."""
_HASH_BYTES = 4
CIRCLE = 1 << 8 * _HASH_BYTES
"""Points of the circle: shares hold to one in four thousand million."""

_Part = tuple[int, int]
"""Points from the first to before the second."""


def point(experiment: str, user: str) -> int:
    """The user's place on the circle of an experiment, in [0, CIRCLE)."""
    digest = blake2b(f"{experiment}\0{user}".encode(), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "big")


class Assignment:
    """Deals users out to variants."""

    def __init__(self, experiment: str, shares: Mapping[str, float]) -> None:
        """`shares`: variant → share in [0, 1], together at most 1; the order is part of who gets which."""
        self._experiment = experiment
        owned = sorted(
            (part, name) for name, parts in zip(shares, parts_of([*shares.values()]), strict=True) for part in parts
        )
        self._begins, self._names = [0], [DEFAULT]
        for (begin, end), name in owned:
            self._begins += [begin, end]
            self._names += [name, DEFAULT]

    def of(self, user: str) -> str:
        """The user's variant."""
        if len(self._names) == 1:
            return DEFAULT
        return self.at(point(self._experiment, user))

    def at(self, place: int) -> str:
        """The variant that owns a point of the circle."""
        return self._names[bisect_right(self._begins, place) - 1]


def parts_of(shares: Sequence[float]) -> list[list[_Part]]:
    """The parts of the circle that each variant owns; the default owns the rest."""
    free: list[_Part] = [(0, CIRCLE)]
    parts = []
    for number, share in enumerate(shares):
        taken, free = _take(free, _anchor(number // 2), round(share * CIRCLE), upwards=number % 2 == 0)
        parts.append(taken)
    return parts


def _anchor(number: int) -> int:
    """0, 1/2, 1/4, 3/4, 1/8, … of the circle: van der Corput's sequence."""
    place, step = 0, CIRCLE // 2
    while number:
        place += step * (number % 2)
        number //= 2
        step //= 2
    return place


def _take(free: Sequence[_Part], anchor: int, wanted: int, *, upwards: bool) -> tuple[list[_Part], list[_Part]]:
    """(taken, still free): the first `wanted` free points from an anchor on, round the circle."""
    above = [(max(begin, anchor), end) for begin, end in free if end > anchor]
    below = [(begin, min(end, anchor)) for begin, end in free if begin < anchor]
    taken, left = [], []
    for begin, end in [*above, *below] if upwards else [*below[::-1], *above[::-1]]:
        size = min(wanted, end - begin)
        wanted -= size
        cut = begin + size if upwards else end - size
        first, second = (begin, cut), (cut, end)
        taken.append(first if upwards else second)
        left.append(second if upwards else first)
    return [part for part in taken if part[0] < part[1]], sorted(part for part in left if part[0] < part[1])
