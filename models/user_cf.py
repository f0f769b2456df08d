"""User CF: what the nearest of the users that were active lately have in their histories.

    sim(u, v)   = Σ_i r_ui · r_vi / (‖r_u‖ · ‖r_v‖)         over the newest items of both
    score(u, j) = Σ_v sim(u, v) · r_vj / ‖r_v‖              over the `near` most similar users v ≠ u

r_ui are strengths. Only so many users as fit are looked at, the last ones that did anything, as of the last `refresh`.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.cooccurrence import Ints
from models.popular import Ranked
from models.similarity import strongest

Floats32 = NDArray[np.float32]


class Strengths(NamedTuple):
    """One user's newest items and how strong each contact is, both [m]."""

    items: Ints
    values: Floats32


NO_STRENGTHS = Strengths(np.zeros(0, np.int64), np.zeros(0, np.float32))


class ActiveUsers:
    """A bounded snapshot of the users that were active last."""

    def __init__(self, most: int, near: int) -> None:
        """`most`: users kept; near: most similar ones that a score adds up."""
        self._most, self._near = most, near
        self._rows: OrderedDict[bytes, Strengths] = OrderedDict()
        self._slots: dict[bytes, int] = {}
        self._size = 0
        self._unit = self._by_item = unit_rows((), 0)

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, user: bytes, strengths: Strengths) -> None:
        """A user did something; whoever did nothing for longest makes room."""
        self._rows[user] = strengths
        self._rows.move_to_end(user)
        if len(self._rows) > self._most:
            self._rows.popitem(last=False)

    def remove(self, user: bytes) -> None:
        """Forget a user, also in the scores from now on."""
        self._rows.pop(user, None)
        if user in self._slots:  # the snapshot may hold one who had to make room since
            self.refresh(self._size)

    def clear(self) -> None:
        """Forget all."""
        self._rows.clear()
        self.refresh(self._size)

    def refresh(self, items: int) -> None:
        """Scores are those of the users as of now, over the item numbers below `items`."""
        self._slots = {user: slot for slot, user in enumerate(self._rows)}
        self._size, self._unit = items, unit_rows(list(self._rows.values()), items)
        self._by_item = sparse.csr_array(self._unit.T)

    def scores(self, users: Sequence[tuple[bytes, Strengths]]) -> list[Ranked]:
        """Items of each one's nearest users and their scores > 0, in no order."""
        size = self._size
        similar = sparse.csr_array(unit_rows([one for _, one in users], size) @ self._by_item)
        cols, values, counts = list[Ints](), list[Floats32](), list[int]()
        for (user, _), begin, end in zip(users, similar.indptr, similar.indptr[1:], strict=False):
            slots, sims = similar.indices[begin:end], similar.data[begin:end].copy()
            sims[slots == self._slots.get(user, -1)] = 0
            best = strongest(sims, self._near)
            best = best[sims[best] > 0]
            cols.append(slots[best].astype(np.int64))
            values.append(sims[best])
            counts.append(len(best))
        near = sparse.csr_array(
            (
                np.concatenate([np.zeros(0, np.float32), *values]),
                np.concatenate([np.zeros(0, np.int64), *cols]),
                np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
            ),
            (len(users), len(self._slots)),
        )
        found = sparse.csr_array(near @ self._unit)
        return [
            (found.indices[begin:end].astype(np.int64), found.data[begin:end].astype(np.float64))
            for begin, end in zip(found.indptr, found.indptr[1:], strict=False)
        ]


def unit_rows(rows: Sequence[Strengths], items: int) -> sparse.csr_array:
    """Rows of length 1, or 0 where there is nothing, [len(rows) × items]. Item numbers from `items` on, which are newer
    than a snapshot, count as none."""
    rows = [Strengths(row.items[row.items < items], row.values[row.items < items]) for row in rows]
    counts = [len(row.items) for row in rows]
    lengths = np.array([float(np.linalg.norm(row.values)) for row in rows])
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    values = np.concatenate([np.zeros(0, np.float32), *(row.values for row in rows)])
    cols = np.concatenate([np.zeros(0, np.int64), *(row.items for row in rows)])
    indptr = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return sparse.csr_array(((values * np.repeat(scale, counts)).astype(np.float32), cols, indptr), (len(rows), items))
