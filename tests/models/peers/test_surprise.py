"""Matrix factorisation of the library Surprise."""

import contextlib
import sys

import numpy as np
import pytest

from models.peers.peer import MissingLibraryError
from models.peers.surprise import predict_svd
from models.ratings import errors
from tests.models.test_ratings import drawn

with contextlib.suppress(ImportError):
    import surprise  # noqa: F401  (it changes the environment when it is imported, which no test may)


def test_ratings_that_it_knows_are_near() -> None:
    pytest.importorskip("surprise")
    train = drawn()
    found = predict_svd(train, train.users, train.items, seed=3)
    rmse, _ = errors(found, train.values)
    assert rmse < np.std(train.values)
    np.testing.assert_array_equal(predict_svd(train, train.users, train.items, seed=3), found)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "surprise", None)
    train = drawn()
    with pytest.raises(MissingLibraryError, match=r"pip install 'profilestream\[bench\]'"):
        predict_svd(train, train.users, train.items, seed=3)
