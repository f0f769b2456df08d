"""Sequential rules count what follows what."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.peers.rules import STEPS, SequentialRules

HISTORIES = st.lists(st.permutations(range(14)).flatmap(lambda p: st.integers(1, 14).map(lambda n: p[:n])), max_size=6)


def plain(histories: list[list[int]], items: int) -> NDArray[np.float64]:
    rules = np.zeros((items, items))
    for history in histories:
        for later in range(len(history)):
            for step in range(1, min(STEPS, later) + 1):
                rules[history[later - step], history[later]] += 1 / step
    return rules


@given(HISTORIES, st.integers(0, 14))
def test_followed_rules_are_those_of_a_fit_and_of_a_plain_count(histories: list[list[int]], cut: int) -> None:
    items = 14
    whole = [np.array(history) for history in histories]
    at_once, followed = SequentialRules(), SequentialRules()
    at_once.fit(whole, items)
    followed.fit([history[:cut] for history in whole], items)
    followed.follow([history[:cut] for history in whole], [history[cut:] for history in whole], items)
    np.testing.assert_allclose(at_once.rules.toarray(), plain(histories, items), rtol=1e-5)
    np.testing.assert_allclose(followed.rules.toarray(), plain(histories, items), rtol=1e-5)


def test_the_item_that_followed_soonest_comes_first_and_the_rest_by_popularity() -> None:
    model = SequentialRules()
    model.fit([np.array([0, 1, 2]), np.array([4, 5]), np.array([4, 3]), np.array([4])], 6)
    assert model.recommend([np.array([0])], 5).tolist() == [[1, 2, 4, 3, 5]]
