"""What models of others share: rows by recency, and the best columns."""

import sys

import numpy as np
import pytest

from models.peers.implicit import AlternatingLeastSquares
from models.peers.peer import NO_ITEM, MissingLibraryError, top_items, user_rows


def test_the_newest_item_weighs_most_and_later_items_are_left_out() -> None:
    rows = user_rows([np.array([2, 0, 9, 1]), np.zeros(0, np.int64)], 3, power=1.0)
    np.testing.assert_allclose(rows.toarray(), [[1 / 3, 1.0, 1 / 4], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(user_rows([np.array([2, 0])], 3).toarray(), [[1, 0, 1]])


def test_the_best_columns_in_order_without_what_is_never_shown() -> None:
    scores = np.array([[0.1, 0.9, 0.5, -np.inf, 0.7]], np.float32)
    assert top_items(scores, [np.array([1, 7])], 4).tolist() == [[4, 2, 0, NO_ITEM]]


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit.als", None)
    monkeypatch.setitem(sys.modules, "implicit", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'profilestream\[bench\]'"):
        AlternatingLeastSquares()
