"""Item ids as small integers, so that arrays can hold them."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray


class _Numbers(dict[str, int]):
    """id → number; an unknown id gets the next number."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__((id_, number) for number, id_ in enumerate(ids))
        self.ids = ids

    def __missing__(self, id_: str) -> int:
        number = self[id_] = len(self.ids)
        self.ids.append(id_)
        return number


class Interner:
    """Gives each id a number, 0, 1, 2 … in the order of first sight; numbers are never reused."""

    def __init__(self, ids: Collection[str] = ()) -> None:
        self._numbers = _Numbers(list(ids))

    def __len__(self) -> int:
        return len(self._numbers.ids)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._numbers

    @property
    def ids(self) -> list[str]:
        """number → id. Read only."""
        return self._numbers.ids

    def number(self, id_: str) -> int:
        """The number of one id."""
        return self._numbers[id_]

    def numbers(self, ids: Collection[str]) -> NDArray[np.int64]:
        """The numbers of many ids, int64 [len(ids)]."""
        return np.fromiter(map(self._numbers.__getitem__, ids), np.int64, len(ids))

    def known(self, id_: str) -> int | None:
        """The number of an id that was seen before, else None."""
        return self._numbers.get(id_)
