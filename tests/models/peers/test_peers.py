"""What every recommender that lists are compared with must do."""

import contextlib
import importlib.util
from collections.abc import Callable

import numpy as np
import pytest

from models.peers.ease import Ease
from models.peers.implicit import AlternatingLeastSquares, ItemNeighbours
from models.peers.peer import NO_ITEM, Ints, Peer
from models.peers.rules import SequentialRules

with contextlib.suppress(ImportError):
    import threadpoolctl  # noqa: F401  (it changes the environment when it is imported, which no test may)

needs_implicit = pytest.mark.skipif(importlib.util.find_spec("implicit") is None, reason="needs the extra bench")
MAKERS: dict[str, Callable[[], Peer]] = {
    "ease": lambda: Ease(regularisation=1.0),
    "rules": SequentialRules,
    "cosine": lambda: ItemNeighbours("cosine"),
    "bm25": lambda: ItemNeighbours("bm25"),
    "als": AlternatingLeastSquares,
}
SIZE = 50


@pytest.fixture(
    params=[pytest.param(name, marks=[] if name in {"ease", "rules"} else [needs_implicit]) for name in MAKERS]
)
def peer(request: pytest.FixtureRequest) -> Peer:
    return MAKERS[request.param]()


def checkerboard() -> list[Ints]:
    """User u took all even or all odd items, as u is, but item u: that is what u takes next."""
    draw = np.random.default_rng(3)
    return [draw.permutation([i for i in range(user % 2, SIZE, 2) if i != user]) for user in range(SIZE)]


def test_the_missing_square_of_a_checkerboard_comes_first(peer: Peer) -> None:
    histories = checkerboard()
    peer.fit(histories, SIZE)
    assert peer.recommend(histories, 5)[:, 0].tolist() == list(range(SIZE))


def test_lists_hold_each_item_once_and_none_of_the_history(peer: Peer) -> None:
    histories = checkerboard()
    peer.fit(histories, SIZE)
    lists = peer.recommend(histories, SIZE + 3)
    assert lists.shape == (SIZE, SIZE + 3)
    for history, row in zip(histories, lists.tolist(), strict=True):
        shown = [item for item in row if item != NO_ITEM]
        assert row == shown + [NO_ITEM] * (len(row) - len(shown))
        assert len(set(shown)) == len(shown)
        assert not set(shown) & set(history.tolist())


def test_a_fit_is_repeatable_and_forgets_the_one_before(peer: Peer) -> None:
    histories = checkerboard()
    peer.fit(histories, SIZE)
    first = peer.recommend(histories, 10)
    peer.fit([np.array([0, 1])], 2)
    assert peer.recommend([np.array([0])], 5)[0].max() <= 1
    peer.fit(histories, SIZE)
    np.testing.assert_array_equal(peer.recommend(histories, 10), first)


def test_what_came_after_the_fit_is_taken_and_nobody_is_asked(peer: Peer) -> None:
    histories = checkerboard()
    peer.fit(histories, SIZE)
    peer.follow([histories[0]], [np.array([SIZE + 1])], SIZE + 2)
    lists = peer.recommend([np.append(histories[0], SIZE + 1), np.zeros(0, np.int64), np.array([SIZE + 1])], 5)
    assert lists.shape == (3, 5)
    assert not set(lists[0].tolist()) & {*histories[0].tolist(), SIZE + 1}
    assert peer.recommend([], 5).shape == (0, 5)
