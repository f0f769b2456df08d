"""Matrix factorisation of ratings (SVD) of the library Surprise, with its defaults: 100 factors, 20 epochs.

The library is imported when it is used: only comparisons need it.
"""

import numpy as np

from models.peers.peer import MissingLibraryError
from models.ratings import Floats, Ints, Ratings


def predict_svd(train: Ratings, users: Ints, items: Ints, seed: int) -> Floats:
    """r̂ of pairs [n]. Raises `MissingLibraryError`."""
    try:
        from surprise import SVD, Dataset, Reader
    except ImportError as exc:
        raise MissingLibraryError("the library Surprise is missing: pip install 'profilestream[bench]'") from exc
    reader = Reader(rating_scale=(float(train.values.min()), float(train.values.max())))
    triples = zip(train.users.tolist(), train.items.tolist(), train.values.tolist(), strict=True)
    model = SVD(random_state=seed)
    model.fit(Dataset(reader).construct_trainset([(*triple, None) for triple in triples]))
    pairs = zip(users.tolist(), items.tolist(), strict=True)
    return np.array([model.predict(user, item).est for user, item in pairs])
