"""Sequential rules (Ludewig and Jannach 2018): what follows an item soon comes next."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from models.peers.peer import Ints, top_items, user_rows

STEPS = 10
"""A rule reaches so many items on in a history, and a list looks at so many of the newest."""
NEWEST = 0.02
"""Rules are added to a small matrix until it has this share of the entries of the large one: adding costs per entry."""
POPULARITY = 1e-6
"""What an item weighs for each time it was taken: it ranks what no rule reaches, and nothing else."""


class SequentialRules:
    """Rule i → j: Σ of 1 / d over histories in which j comes d ≤ `STEPS` items after i; always current.

    A score is Σ_k (k + 1) ** −power · rule(j_k → j) over the newest items j_k.
    """

    def __init__(self, recency_power: float = 1.0) -> None:
        """`recency_power` 0: all `STEPS` newest items weigh the same."""
        self._power = recency_power
        self._taken = np.zeros(0, np.float32)
        self._old = self._newest = _none(0)

    @property
    def rules(self) -> sparse.csr_array:
        """Rule i → j in row i, [items × items]."""
        return sparse.csr_array(self._old + self._newest)

    def fit(self, histories: Sequence[Ints], items: int) -> None:
        """See `Peer`."""
        self._taken, self._old, self._newest = np.zeros(0, np.float32), _none(0), _none(0)
        self.follow([np.zeros(0, np.int64)] * len(histories), histories, items)

    def follow(self, before: Sequence[Ints], new: Sequence[Ints], items: int) -> None:
        """See `Peer`; all rules are as if fitted anew."""
        parts, places, firsts = list[Ints](), list[Ints](), list[Ints]()
        for old, after in zip(before, new, strict=True):
            reached = old[-STEPS:]
            parts += (reached, after)
            places.append(np.arange(len(reached) + len(after)))
            firsts.append(np.full(len(reached) + len(after), len(reached)))
        laid, place, first = (np.concatenate([*arrays, np.zeros(0, np.int64)]) for arrays in (parts, places, firsts))
        self._old, self._newest = _grown(self._old, items), _grown(self._newest, items)
        self._taken = np.pad(self._taken, (0, items - len(self._taken)))
        added = place >= first
        self._taken += np.bincount(laid[added], minlength=items).astype(np.float32)
        ahead = [np.flatnonzero(added & (place >= step)) for step in range(1, STEPS + 1)]
        later, steps = np.concatenate(ahead), np.repeat(np.arange(1, STEPS + 1), list(map(len, ahead)))
        changes = ((1 / steps).astype(np.float32), (laid[later - steps], laid[later]))
        self._newest = self._newest + sparse.coo_array(changes, (items, items)).tocsr()
        if self._newest.nnz > NEWEST * self._old.nnz:
            self._old, self._newest = self.rules, _none(items)

    def recommend(self, histories: Sequence[Ints], k: int) -> Ints:
        """See `Peer`."""
        rows = user_rows([history[-STEPS:] for history in histories], len(self._taken), self._power)
        scores = (rows @ self._old).toarray() + (rows @ self._newest).toarray() + POPULARITY * self._taken
        return top_items(scores, histories, k)


def _none(items: int) -> sparse.csr_array:
    nothing = np.zeros(0, np.int64)
    return sparse.coo_array((np.zeros(0, np.float32), (nothing, nothing)), (items, items)).tocsr()


def _grown(rules: sparse.csr_array, items: int) -> sparse.csr_array:
    if rules.shape[0] == items:
        return rules
    indptr = np.pad(rules.indptr, (0, items - rules.shape[0]), mode="edge")
    return sparse.csr_array((rules.data, rules.indices, indptr), (items, items))
