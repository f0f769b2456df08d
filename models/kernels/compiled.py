"""The one place that knows the compiler."""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The function as machine code, kept on disk for the next process; it runs without Python's lock."""
    return cast("Function", njit(cache=True, nogil=True)(function))
