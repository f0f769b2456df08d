"""Profiles of users who come again soon, kept decoded: half of all events are of a hundredth of the users.

What is kept goes with the bytes of the row it stands for, and is used only if these are the ones that were read: a row
that another worker wrote meanwhile, or a batch that was not committed, makes it void without anybody saying so.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.packed import PROFILE
from models.profile import Profile

KEPT_BYTES = 16 * 1024 * 1024
"""Of rows; with its row a profile takes about five times as much memory."""


@dataclass
class Known:
    """A profile that may be changed in place, and the numbers of its history's items, in its order."""

    profile: Profile
    numbers: NDArray[np.int64] | None = None
    """None: nobody asked for them."""


class KnownProfiles:
    """The profiles used last."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._kept: OrderedDict[str, tuple[bytes, Known]] = OrderedDict()

    def take(self, user_id: str, row: bytes | None) -> Known:
        """What the row says, decoded or as it was kept; it is the caller's until it is given back to `keep`.

        Raises `RecordError` if the row cannot be read.
        """
        kept = self._kept.pop(user_id, None)
        if kept is not None:
            self._bytes -= len(kept[0])
            if kept[0] == row:
                return kept[1]
        return Known(Profile() if row is None else PROFILE.read(row))

    def keep(self, user_id: str, row: bytes, known: Known) -> None:
        """Keep what this row says of a user that was taken; what was used longest ago goes if that is too much."""
        self._kept[user_id] = (row, known)
        self._bytes += len(row)
        while self._bytes > self._most_bytes:
            _, (oldest, _) = self._kept.popitem(last=False)
            self._bytes -= len(oldest)

    def clear(self) -> None:
        """Keep nothing: these users may be another worker's now, who erases them without telling."""
        self._kept.clear()
        self._bytes = 0
