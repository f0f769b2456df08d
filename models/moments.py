"""What was known when each event was compared, and the events among which methods are to be told apart."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
BANDS = ((1, 1), (2, 2), (3, 5), (6, 20), (21, None))
"""Items in the history, first and last: cold users first."""
LENGTHS = tuple(range(1, 21))
"""Lengths of histories at which lists and popularity are compared one by one."""


@dataclass
class Moments:
    """The same for all methods, in the order in which events were compared."""

    histories: list[int] = field(default_factory=list)
    """Items that the user had."""
    taken: list[int] = field(default_factory=list)
    """How often the event's item had been taken, by anybody."""
    trained: list[bool] = field(default_factory=list)
    """Whether the event's item was taken in training."""
    lists: list[int] = field(default_factory=list)
    """Number of the list: events of one basket share one."""

    def add(self, number: int, history: int, taken: int, trained: bool) -> None:
        """One event."""
        self.lists.append(number)
        self.histories.append(history)
        self.taken.append(taken)
        self.trained.append(trained)

    def cold_users(self) -> dict[str, Mask]:
        """Events by the length of the history: name of the band → which."""
        lengths = np.array(self.histories, np.int64)
        return {
            f"{first}" if first == last else f"{first}–{last}" if last else f"{first}+": (
                (lengths >= first) & (lengths <= (last or np.inf))
            )
            for first, last in BANDS
        }

    def cold_items(self) -> dict[str, Mask]:
        """Events by item: nobody took it before; it came after the training, and was taken since; the others."""
        taken, trained = np.array(self.taken, np.int64), np.array(self.trained, np.bool_)
        return {"never taken": taken == 0, "new since training": (taken > 0) & ~trained, "older": trained}

    def lengths(self) -> dict[int, Mask]:
        """Events by the exact length of a short history."""
        lengths = np.array(self.histories, np.int64)
        return {length: lengths == length for length in LENGTHS if (lengths == length).any()}
