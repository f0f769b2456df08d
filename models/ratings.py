"""Rating prediction: weighted averages over the nearest items of a user, or the nearest users of an item.

    plain            r̂_ui = Σ_j sim(i,j)·r_uj / Σ_j |sim(i,j)|                       sim: cosine of whole columns
    with baselines   r̂_ui = b_ui + Σ_j sim(i,j)·(r_uj − b_uj) / Σ_j |sim(i,j)|       sim: shrunk correlation around b

over the K nearest items j that u rated; with users and items exchanged the same for users. b_ui = μ + b_u + b_i;
baselines and shrunk correlation as in Koren (2010), Factor in the Neighbors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SHRINK_ITEM, SHRINK_USER = 10.0, 15.0
"""λ of b_i and b_u: so many ratings at the mean are added to those there are."""
ROUNDS = 10
"""b_i and b_u are fitted in turn so often; later rounds change the fourth digit."""
SIMILARITY_SHRINKAGE = 100.0
"""A correlation over n raters weighs (n − 1) / (n − 1 + shrinkage)."""
NEIGHBOURS = 40
"""K."""
BLOCK = 500
"""Columns whose similarities are computed at once."""


@dataclass(frozen=True)
class Ratings:
    """Ratings as triples of equal length [n]: user numbers, item numbers, values; each pair once."""

    users: Ints
    items: Ints
    values: Floats
    shape: tuple[int, int]
    """Users and items that there are."""

    def transposed(self) -> "Ratings":
        """Users and items exchanged."""
        return Ratings(self.items, self.users, self.values, self.shape[::-1])

    def at(self, places: Ints) -> "Ratings":
        """Those at these places."""
        return Ratings(self.users[places], self.items[places], self.values[places], self.shape)

    def rows(self, values: Floats) -> sparse.csr_array:
        """A matrix users × items with `values` in place of the ratings. A zero stays an entry."""
        return sparse.coo_array((values, (self.users, self.items)), self.shape).tocsr()


@dataclass(frozen=True)
class Baselines:
    """μ, b_u and b_i: what is expected of a user and an item alone."""

    mean: float
    of_users: Floats
    of_items: Floats

    def of(self, users: Ints, items: Ints) -> Floats:
        """b_ui of pairs."""
        return np.asarray(self.mean + self.of_users[users] + self.of_items[items])


def fit_baselines(train: Ratings) -> Baselines:
    """Shrunk means of what the other side leaves over, in turn."""
    mean = float(train.values.mean()) if len(train.values) else 0.0
    of_users, of_items = np.zeros(train.shape[0]), np.zeros(train.shape[1])
    raters = np.bincount(train.items, minlength=train.shape[1])
    rated = np.bincount(train.users, minlength=train.shape[0])
    for _ in range(ROUNDS):
        left = train.values - mean - of_users[train.users]
        of_items = np.bincount(train.items, left, train.shape[1]) / (SHRINK_ITEM + raters)
        left = train.values - mean - of_items[train.items]
        of_users = np.bincount(train.users, left, train.shape[0]) / (SHRINK_USER + rated)
    return Baselines(mean, of_users, of_items)


def predict_by_items(train: Ratings, users: Ints, items: Ints, with_baselines: bool, k: int = NEIGHBOURS) -> Floats:
    """r̂ of pairs [n] from the user's ratings of the k nearest items, within the range of the ratings.

    Without a near item it is the baseline.
    """
    return _predict(train, users, items, with_baselines, k, by_users=False)


def predict_by_users(train: Ratings, users: Ints, items: Ints, with_baselines: bool, k: int = NEIGHBOURS) -> Floats:
    """r̂ of pairs [n] from the ratings of the item by the k nearest users; else as `predict_by_items`."""
    return _predict(train, users, items, with_baselines, k, by_users=True)


def _predict(train: Ratings, users: Ints, items: Ints, with_baselines: bool, k: int, by_users: bool) -> Floats:
    baselines = fit_baselines(train)
    expected = baselines.of(users, items)
    used = train.values - baselines.of(train.users, train.items) if with_baselines else train.values
    rows = (train.transposed() if by_users else train).rows(used)
    pairs = (items, users) if by_users else (users, items)
    if with_baselines:
        found = expected + _averages(rows, _correlations(rows), *pairs, np.zeros(len(expected)), k)
    else:
        found = _averages(rows, _cosines(rows), *pairs, expected, k)
    return found.clip(train.values.min(), train.values.max())


def _averages(
    rows: sparse.csr_array, near: sparse.csr_array, of_rows: Ints, columns: Ints, otherwise: Floats, k: int
) -> Floats:
    """Averages for pairs (row, column) [n] of the row's entries, weighted by how near their columns are to the column.

    `otherwise`: what a pair without a near column gets, [n].
    """
    found = otherwise.copy()
    order = np.argsort(of_rows, kind="stable")
    starts = np.flatnonzero(np.diff(of_rows[order], prepend=-1))
    for start, stop in zip(starts, np.append(starts[1:], len(order)), strict=True):
        places, row = order[start:stop], of_rows[order[start]]
        mine = slice(*rows.indptr[[row, row + 1]])
        weights = near[columns[places]][:, rows.indices[mine]].toarray()
        average, known = _weighted(weights, rows.data[mine], k)
        found[places[known]] = average[known]
    return found


def errors(predicted: Floats, true: Floats) -> tuple[float, float]:
    """RMSE and MAE."""
    off = predicted - true
    return float(np.sqrt((off**2).mean())), float(np.abs(off).mean())


def _weighted(weights: Floats, values: Floats, k: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Averages of `values` [m] by the k largest of each row of `weights` [n, m], and which rows have any, [n]."""
    if weights.shape[1] > k:
        cut = -np.partition(-weights, k - 1, axis=1)[:, k - 1 : k]
        weights = np.where(weights >= cut, weights, 0.0)
    total = weights.sum(axis=1)
    known = total > 0
    return weights @ values / np.where(known, total, 1.0), known


def _cosines(rows: sparse.csr_array) -> sparse.csr_array:
    """Cosines of columns, not rated counting 0."""
    norms = np.sqrt(np.asarray(rows.power(2).sum(axis=0))).ravel()
    scaled = rows @ sparse.diags_array(1.0 / np.where(norms > 0, norms, 1.0))
    return sparse.csr_array(scaled.T @ scaled)


def _correlations(rows: sparse.csr_array) -> sparse.csr_array:
    """Positive correlations of columns around 0 over the users that rated both, shrunk."""
    rated, squares = rows.copy(), rows.power(2)
    rated.data = np.ones_like(rated.data)
    columns = rows.shape[1]
    blocks = []
    for start in range(0, columns, BLOCK):
        at = slice(start, min(start + BLOCK, columns))
        common = (rated[:, at].T @ rated).toarray()
        norms = np.sqrt((squares[:, at].T @ rated).toarray() * (rated[:, at].T @ squares).toarray())
        weights = (rows[:, at].T @ rows).toarray() / np.where(norms > 0, norms, 1.0)
        weights *= (common - 1.0).clip(0.0) / (common - 1.0 + SIMILARITY_SHRINKAGE)
        blocks.append(sparse.csr_array(weights.clip(0.0)))
    return sparse.vstack(blocks, format="csr")
