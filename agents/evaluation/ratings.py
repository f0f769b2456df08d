"""Rating prediction on random splits of all ratings of a data set."""

from collections.abc import Callable
from functools import partial

import numpy as np

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset
from models.interning import Interner
from models.peers.peer import MissingLibraryError
from models.peers.surprise import predict_svd
from models.ratings import Floats, Ints, Ratings, errors, fit_baselines, predict_by_items, predict_by_users

SVD = "svd"
Predict = Callable[[Ratings, Ints, Ints], Floats]
METHODS: dict[str, Predict] = {
    "baselines": lambda train, users, items: fit_baselines(train).of(users, items),
    "items": partial(predict_by_items, with_baselines=False),
    "users": partial(predict_by_users, with_baselines=False),
    "items, baselines": partial(predict_by_items, with_baselines=True),
    "users, baselines": partial(predict_by_users, with_baselines=True),
}


def ratings_of(dataset: Dataset) -> Ratings:
    """The last rating of each user for each item. Raises `SetupError` if there is none."""
    users, items = Interner(), Interner()
    last = {
        (users.number(event.user_id), items.number(event.event.item_id)): event.event.rating
        for event in dataset.events
        if event.event.rating is not None and event.event.item_id is not None
    }
    if not last:
        raise SetupError(f"{dataset.name} has no ratings: --ratings needs a column `rating`")
    pairs = np.array(list(last), np.int64)
    return Ratings(pairs[:, 0], pairs[:, 1], np.array(list(last.values()), np.float64), (len(users), len(items)))


def run(ratings: Ratings, share: float, seed: int, against: str) -> dict[str, tuple[float, float]]:
    """RMSE and MAE of each method on the split of one seed. Raises `SetupError`, also for a missing library."""
    names = [name.strip() for name in against.split(",") if name.strip()]
    if unknown := [name for name in names if name != SVD]:
        raise SetupError(f"--against {','.join(unknown)}: with --ratings there is only {SVD}")
    drawn = np.random.default_rng(seed).permutation(len(ratings.values))
    train, test = (ratings.at(part) for part in np.split(drawn, [round(share * len(drawn))]))
    if not len(train.values) or not len(test.values):
        raise SetupError(f"{len(ratings.values)} ratings are too few to split")
    methods = dict(METHODS)
    if names:
        methods["Surprise SVD"] = partial(predict_svd, seed=seed)
    try:
        return {name: errors(predict(train, test.users, test.items), test.values) for name, predict in methods.items()}
    except MissingLibraryError as exc:
        raise SetupError(str(exc)) from exc
