"""Items at fixed places of a list."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def with_pins(others: Sequence[T], pins: Sequence[tuple[int, T]], k: int) -> list[T]:
    """A list of at most k: each pin at its position, `others` in their order around them.

    pins: (position from 0, what), at most k, all positions within k. Of two pins with one position the first has it,
    the other the nearest behind it that is free, or else before it. Where the others do not reach a pin, it moves up.
    """
    if not pins:
        return list(others[:k])
    at: dict[int, T] = {}
    for position, pin in pins:
        at[next(place for place in (*range(position, k), *range(position, -1, -1)) if place not in at)] = pin
    left = iter(others)
    made: list[T] = []
    for position in range(k):
        if position in at:
            made.append(at[position])
        elif (following := next(left, None)) is not None:
            made.append(following)
    return made
