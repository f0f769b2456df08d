"""Other recommenders beside the product: they learn from the same events and are asked at the same moments."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from agents.errors import SetupError
from models.interning import Interner
from models.peers.ease import Ease
from models.peers.implicit import AlternatingLeastSquares, ItemNeighbours
from models.peers.peer import NO_ITEM, Ints, MissingLibraryError, Peer, TooManyItemsError
from models.peers.rules import SequentialRules

POPULAR = "popular"
"""Always shown, and the only one that needs no model."""
GROUPS: dict[str, dict[str, Callable[[float], Peer]]] = {
    POPULAR: {},
    "ease": {"ease": lambda power: Ease(recency_power=power)},
    "implicit": {
        "implicit ALS": AlternatingLeastSquares,
        "implicit cosine": lambda power: ItemNeighbours("cosine", power),
        "implicit BM25": lambda power: ItemNeighbours("bm25", power),
    },
    "sequential": {"sequential rules": SequentialRules},
}
"""Name for `--against` → rows of the table → a model, given the power of its weights by recency."""
REFITS = 4
"""So often, evenly spread over the tested events, models are fitted anew that cannot follow."""


def chosen(names: str, recency_power: float) -> dict[str, Peer]:
    """Models by row of the table, of names with commas between. Raises `SetupError`, also for a missing library."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in GROUPS]:
        raise SetupError(f"--against {','.join(unknown)}: must be of {', '.join(GROUPS)}")
    try:
        return {row: make(recency_power) for name in wanted for row, make in GROUPS[name].items()}
    except MissingLibraryError as exc:
        raise SetupError(str(exc)) from exc


class Against:
    """Models that follow the events of one run, and what they all need: items as numbers, histories in order."""

    def __init__(self, peers: Mapping[str, Peer]) -> None:
        """`peers`: fresh models by the names of their rows."""
        self._peers, self._fitted = peers, False
        self.seconds: dict[str, float] = dict.fromkeys(peers, 0.0)
        """What each model took, fits and lists."""
        self._items = Interner()
        self._histories: dict[str, list[int]] = {}
        self._seen: dict[str, set[int]] = {}

    @property
    def names(self) -> list[str]:
        """Of the models."""
        return list(self._peers)

    def fit(self) -> None:
        """Learn anew from all that was taken. Raises `SetupError` where there is too much of it."""
        histories, self._fitted = list(map(_array, self._histories.values())), True
        for name, peer in self._peers.items():
            began = time.perf_counter()
            try:
                peer.fit(histories, len(self._items))
            except TooManyItemsError as exc:
                raise SetupError(str(exc)) from exc
            self.seconds[name] += time.perf_counter() - began

    def follow(self, taken: Sequence[tuple[str, str]]) -> None:
        """Users took items: histories are current at once; after the first fit models that can follow do."""
        if not self._peers:
            return
        before = {user: _array(self._histories.get(user, ())) for user, _ in taken}
        for user, item in taken:
            number = self._items.number(item)
            seen = self._seen.setdefault(user, set())
            if number not in seen:
                seen.add(number)
                self._histories.setdefault(user, []).append(number)
        if not self._fitted:
            return
        grown = {user: old for user, old in before.items() if len(self._histories[user]) > len(old)}
        new = [_array(self._histories[user][len(old) :]) for user, old in grown.items()]
        for name, peer in self._peers.items():
            began = time.perf_counter()
            peer.follow(list(grown.values()), new, len(self._items))
            self.seconds[name] += time.perf_counter() - began

    def ask(self, users: Sequence[str], k: int) -> dict[str, list[list[str]]]:
        """A list of at most k items for each user by each model."""
        histories = [_array(self._histories.get(user, ())) for user in users]
        lists = {}
        for name, peer in self._peers.items():
            began = time.perf_counter()
            lists[name] = self._named(peer.recommend(histories, k))
            self.seconds[name] += time.perf_counter() - began
        return lists

    def _named(self, lists: Ints) -> list[list[str]]:
        ids = self._items.ids
        return [[ids[number] for number in row if number != NO_ITEM] for row in lists.tolist()]


def _array(numbers: Sequence[int]) -> Ints:
    return np.array(numbers, np.int64)
