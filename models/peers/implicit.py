"""Models of the library implicit: alternating least squares and item neighbours.

The library is imported when a model is made: only comparisons need it.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from models.peers.peer import Ints, MissingLibraryError, top_items, user_rows

FACTORS, ALS_REGULARISATION, ALS_CONFIDENCE, ITERATIONS = 32, 30.0, 4.0, 15
"""Of alternating least squares: the best of a grid on MovieLens 100K and on gift cards (nDCG@10 .38 with λ = 0.05)."""
NEIGHBOURS = 200
"""Of an item, of both kinds of neighbours."""
SEED = 17


class ItemNeighbours:
    """Scores are x · S, x the user's row now; S holds the nearest items of each item, of the last fit."""

    def __init__(self, weighting: str, recency_power: float = 1.0) -> None:
        """`weighting`: `cosine` or `bm25`. Raises `MissingLibraryError`."""
        models = _library().nearest_neighbours
        kinds = {"cosine": models.CosineRecommender, "bm25": models.BM25Recommender}
        self._model = kinds[weighting](K=NEIGHBOURS, num_threads=1)
        self._power, self._items = recency_power, 0

    def fit(self, histories: Sequence[Ints], items: int) -> None:
        """See `Peer`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own conversion between sparse formats
            self._model.fit(_matrix(user_rows(histories, items)), show_progress=False)
        self._items = items

    def follow(self, before: Sequence[Ints], new: Sequence[Ints], items: int) -> None:
        """Only a fit changes S."""

    def recommend(self, histories: Sequence[Ints], k: int) -> Ints:
        """See `Peer`; items without a neighbour in the history are not shown."""
        scores = (user_rows(histories, self._items, self._power) @ self._model.similarity).toarray()
        scores[scores == 0] = -np.inf
        return top_items(scores.astype(np.float32), histories, k)


class AlternatingLeastSquares:
    """Factors of items of the last fit; those of the user are solved for from the row as it is now."""

    def __init__(self, recency_power: float = 1.0) -> None:
        """`recency_power`: how much less the confidence in older items is. Raises `MissingLibraryError`."""
        self._make = _library().als.AlternatingLeastSquares
        self._power, self._items = recency_power, 0
        self._model: Any = None

    def fit(self, histories: Sequence[Ints], items: int) -> None:
        """See `Peer`."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):  # the library asks for it
            self._model = self._make(
                factors=FACTORS,
                regularization=ALS_REGULARISATION,
                iterations=ITERATIONS,
                random_state=SEED,
                num_threads=1,
                use_gpu=False,
            )
            self._model.fit(_matrix(user_rows(histories, items) * ALS_CONFIDENCE), show_progress=False)
        self._items = items

    def follow(self, before: Sequence[Ints], new: Sequence[Ints], items: int) -> None:
        """Only a fit changes the factors of items."""

    def recommend(self, histories: Sequence[Ints], k: int) -> Ints:
        """See `Peer`; items that came after the fit are not shown."""
        if not histories:
            return np.zeros((0, k), np.int64)
        rows = _matrix(user_rows(histories, self._items, self._power) * ALS_CONFIDENCE)
        of_users = self._model.recalculate_user(np.arange(len(histories)), rows)
        return top_items(of_users @ self._model.item_factors.T, histories, k)


def _matrix(rows: sparse.csr_array) -> Any:
    """What the library takes: it knows matrices, not arrays."""
    return sparse.csr_matrix(rows)


def _library() -> Any:
    try:
        import implicit.als
        import implicit.nearest_neighbours
        from tqdm import tqdm
    except ImportError as exc:
        raise MissingLibraryError("the library implicit is missing: pip install 'profilestream[bench]'") from exc
    tqdm.monitor_interval = 0  # its progress bars would start a thread, though they are not shown
    return implicit
