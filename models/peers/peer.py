"""What a recommender must do to be compared with, and what they share.

Each gets what the product has at that moment: the user's history as it is now, with the weights by recency that the
product starts from, which are worth more to most models than their own parameters. So what differs is the model.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ints = NDArray[np.int64]
Scores = NDArray[np.float32]
NO_ITEM = -1
"""In a list: nothing more to show."""


class MissingLibraryError(Exception):
    """A library that only comparisons need is not installed; the message says how to install it."""


class TooManyItemsError(Exception):
    """A model that holds a number for each pair of items would not fit into memory."""


class Peer(Protocol):
    """A recommender. Items are numbers from 0; a history is a user's distinct items, oldest first."""

    def fit(self, histories: Sequence[Ints], items: int) -> None:
        """Learn anew from all histories, whose items are below `items`.

        Raises `TooManyItemsError`.
        """

    def follow(self, before: Sequence[Ints], new: Sequence[Ints], items: int) -> None:
        """Users with these histories took these new items: what can be learned without a fit."""

    def recommend(self, histories: Sequence[Ints], k: int) -> Ints:
        """The best items for each history and none of it, best first; [len(histories), k], at the end `NO_ITEM`."""


def user_rows(histories: Sequence[Ints], items: int, power: float = 0.0) -> sparse.csr_array:
    """Histories as rows [len(histories), items]: the k-th newest item weighs (k + 1) ** -power, float32.

    Items that are not below `items` are left out.
    """
    lengths = np.fromiter(map(len, histories), np.int64, len(histories))
    columns = np.concatenate([*histories, np.zeros(0, np.int64)])
    rows = np.repeat(np.arange(len(histories)), lengths)
    newer = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(columns)) - 1
    weights = ((newer + 1.0) ** -power).astype(np.float32)
    known = columns < items
    placed = (weights[known], (rows[known], columns[known]))
    return sparse.coo_array(placed, (len(histories), items)).tocsr()


def top_items(scores: Scores, histories: Sequence[Ints], k: int) -> Ints:
    """The k best columns of each row without the row's history, best first; −inf is never shown. Changes `scores`."""
    count, items = scores.shape
    rows = np.repeat(np.arange(count), [len(history) for history in histories])
    columns = np.concatenate([*histories, np.zeros(0, np.int64)])
    known = columns < items
    scores[rows[known], columns[known]] = -np.inf
    found = np.full((count, k), NO_ITEM, np.int64)
    if count and (shown := min(k, items)):
        best = np.argpartition(-scores, shown - 1, axis=1)[:, :shown]
        best = np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable"), 1)
        found[:, :shown] = np.where(np.isneginf(np.take_along_axis(scores, best, 1)), NO_ITEM, best)
    return found
