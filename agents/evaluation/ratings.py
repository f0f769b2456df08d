"""Rating prediction on random splits of all ratings of a data set.

`lists` is what lists say: the ratings that are not held back go through the agents, in the order of time.
"""

from collections.abc import Callable
from contextlib import closing
from functools import partial

import numpy as np

from agents.errors import SetupError
from agents.evaluation.datasets import Dataset
from agents.evaluation.pipeline import Pipeline
from agents.settings import Settings
from models.interning import Interner
from models.peers.peer import MissingLibraryError
from models.peers.surprise import predict_svd
from models.ratings import Floats, Ints, Ratings, errors, fit_baselines, predict_by_items, predict_by_users

SVD, LISTS = "svd", "lists"
Predict = Callable[[Ratings, Ints, Ints], Floats]
METHODS: dict[str, Predict] = {
    "baselines": lambda train, users, items: fit_baselines(train).of(users, items),
    "items": partial(predict_by_items, with_baselines=False),
    "users": partial(predict_by_users, with_baselines=False),
    "items, baselines": partial(predict_by_items, with_baselines=True),
    "users, baselines": partial(predict_by_users, with_baselines=True),
}


class Rated:
    """The last rating of each user for each item of a data set."""

    def __init__(self, dataset: Dataset) -> None:
        """Raises `SetupError` if there is none."""
        users, items = Interner(), Interner()
        self._last = {
            (users.number(event.user_id), items.number(event.event.item_id)): event
            for event in dataset.events
            if event.event.rating is not None and event.event.item_id is not None
        }
        if not self._last:
            raise SetupError(f"{dataset.name} has no ratings: --ratings needs a column `rating`")
        self._users, self._items = users.ids, items.ids
        pairs = np.array(list(self._last), np.int64)
        values = np.array([event.event.rating for event in self._last.values()], np.float64)
        self.ratings = Ratings(pairs[:, 0], pairs[:, 1], values, (len(users), len(items)))

    def predict_by_lists(self, train: Ratings, users: Ints, items: Ints, settings: Settings) -> Floats:
        """What lists say of the ratings of pairs [n] after the events of `train`; of users without any the mean."""
        pairs = zip(train.users.tolist(), train.items.tolist(), strict=True)
        events = sorted([self._last[pair] for pair in pairs], key=lambda event: event.at_ms)
        settings = settings.model_copy(update={"bert_model": "", "cross_model": ""})  # texts say nothing of ratings
        found = np.full(len(users), np.nan)
        order = np.argsort(users, kind="stable")
        with closing(Pipeline(settings, events[0].at_ms)) as pipeline:
            for _ in pipeline.train(events):
                pass
            for places in np.split(order, np.flatnonzero(np.diff(users[order])) + 1):
                asked = [self._items[item] for item in items[places].tolist()]
                found[places] = pipeline.expected_ratings(self._users[int(users[places[0]])], asked)
        return np.where(np.isnan(found), train.values.mean(), found)


def run(rated: Rated, settings: Settings, share: float, seed: int, against: str) -> dict[str, tuple[float, float]]:
    """RMSE and MAE of each method on the split of one seed. Raises `SetupError`, also for a missing library."""
    ratings = rated.ratings
    names = [name.strip() for name in against.split(",") if name.strip()]
    if unknown := [name for name in names if name != SVD]:
        raise SetupError(f"--against {','.join(unknown)}: with --ratings there is only {SVD}")
    drawn = np.random.default_rng(seed).permutation(len(ratings.values))
    train, test = (ratings.at(part) for part in np.split(drawn, [round(share * len(drawn))]))
    if not len(train.values) or not len(test.values):
        raise SetupError(f"{len(ratings.values)} ratings are too few to split")
    methods: dict[str, Predict] = {**METHODS, LISTS: partial(rated.predict_by_lists, settings=settings)}
    if names:
        methods["Surprise SVD"] = partial(predict_svd, seed=seed)
    try:
        return {name: errors(predict(train, test.users, test.items), test.values) for name, predict in methods.items()}
    except MissingLibraryError as exc:
        raise SetupError(str(exc)) from exc
