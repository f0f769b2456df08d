"""What the ranker saw of each item of a list, packed: names once, numbers as an array."""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

STEPS = 100_000
"""The ranker tells features in hundred-thousandths, which an integer of four bytes holds exactly."""
_STEPS_END = 2**31
"""Steps stay below it, either way: the least integer stands for a number that is lacking."""
_LACKS = -_STEPS_END
_WIDTHS: dict[int, np.dtype[np.number]] = {4: np.dtype("<i4"), 8: np.dtype("<f8")}


class Features(msgspec.Struct, array_like=True, gc=False):
    """A matrix [items × names]. With names and numbers of their own ten items would take four times the bytes."""

    names: list[str] = []
    packed: bytes = b"\x04"
    """The bytes of a number, 4 or 8; then the numbers row by row, little-endian: hundred-thousandths, or doubles where
    these do not do. The least integer, or NaN, where an item lacks one."""

    def __post_init__(self) -> None:
        """Every row is whole, no number infinite. Raises `ValueError`, which a codec makes its own error of."""
        width = self._width
        if width not in _WIDTHS or (len(self.packed) - 1) % (width * len(self.names) or len(self.packed)):
            raise ValueError("features of a list do not fit their names")
        if width == 8 and np.isinf(np.frombuffer(self.packed, _WIDTHS[width], offset=1)).any():
            raise ValueError("a feature of a list is not finite")

    @property
    def _width(self) -> int:
        return self.packed[0] if self.packed else 0

    def _matrix(self) -> NDArray[np.float64]:
        numbers = np.frombuffer(self.packed, _WIDTHS[self._width], offset=1)
        if self._width == 4:
            numbers = np.where(numbers == _LACKS, np.nan, numbers / STEPS)
        return numbers.reshape(-1, len(self.names)) if self.names else numbers.reshape(0, 0)

    def fit(self, items: int) -> bool:
        """Whether there is a row for each of so many items; without names there need be none."""
        return not self.names or len(self.packed) - 1 == items * self._width * len(self.names)

    def of(self, places: Sequence[int]) -> list[dict[str, float]]:
        """Name → number of each of these items."""
        if not self.names:
            return [{} for _ in places]
        names, rows = self.names, self._matrix()[places]
        if not np.isnan(rows).any():
            return [dict(zip(names, row, strict=True)) for row in rows.tolist()]
        return [
            {name: number for name, number in zip(names, row, strict=True) if not math.isnan(number)}
            for row in rows.tolist()
        ]

    def columns(self, places: Sequence[int]) -> Iterator[tuple[str, list[float | None]]]:
        """Name and numbers of these items, None where one lacks it, of each name that one of them has."""
        if not self.names:
            return
        for name, column in zip(self.names, self._matrix()[places].T.tolist(), strict=True):
            numbers = [None if math.isnan(number) else number for number in column]
            if any(number is not None for number in numbers):
                yield name, numbers


def pack_features(lists: Sequence[Sequence[Mapping[str, float]]]) -> list[Features]:
    """Of each list exactly the numbers of its items, −0 as 0; what is not finite counts as lacking.

    What a list becomes does not depend on the others.
    """
    rows = [row for one in lists for row in one]
    names = list(rows[0]) if rows else []
    if all(list(row) == names for row in rows):  # nearly always, and then no number is looked up by its name
        numbers = np.array([number for row in rows for number in row.values()], np.float64)
    elif len(lists) > 1:
        return [packed for one in lists for packed in pack_features([one])]
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        numbers = np.array([row.get(name, math.nan) for row in rows for name in names], np.float64)
    if not names:
        return [Features() for _ in lists]
    numbers = numbers.reshape(len(rows), len(names))
    lacks, small = ~np.isfinite(numbers), np.abs(numbers) < _STEPS_END / STEPS
    steps = np.rint(np.where(small, numbers, 0.0) * STEPS)
    exact = (lacks | (small & (steps / STEPS == numbers))).all(axis=1)
    numbers[lacks], steps[lacks] = math.nan, _LACKS
    packed, begin = [], 0
    for one in lists:
        own = slice(begin, begin := begin + len(one))
        if not one:
            packed.append(Features())
        elif exact[own].all():
            packed.append(Features(names, b"\x04" + steps[own].astype("<i4").tobytes()))
        else:
            packed.append(Features(names, b"\x08" + numbers[own].astype("<f8").tobytes()))
    return packed
