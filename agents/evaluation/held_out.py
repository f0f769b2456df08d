"""Random splits within each user: the comparison that is published for most recommenders.

Part of each user's items is held back, whatever their time. The rest goes through the agents in the order of time, and
then each user with items held back is asked for one list. It says how good the model is, not how good the stream: lists
know what came later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.errors import SetupError
from agents.evaluation.against import Against
from agents.evaluation.datasets import Dataset
from agents.evaluation.events import EvaluationEvent
from agents.evaluation.pipeline import Pipeline
from agents.evaluation.report import OURS, POPULAR
from agents.settings import Settings
from agents.topics import DAY_MS
from models.accuracy import Exposure
from models.evaluation import TakenItems
from models.held_out import HeldOut
from models.peers.peer import Peer

ASKED_AT_ONCE = 200


@dataclass
class Found:
    """Lists of one method on one split."""

    accuracy: HeldOut
    exposure: Exposure = field(default_factory=Exposure)


def split(
    events: Sequence[EvaluationEvent], share: float, seed: int
) -> tuple[list[EvaluationEvent], dict[str, set[str]]]:
    """Events of the `share` of each user's items that train, in their order; and the items held back for each user.

    At least one item of a user trains. What takes no item, such as a search, trains.
    """
    items: dict[str, dict[str, None]] = {}
    for event in events:
        if event.taken is not None:
            items.setdefault(event.user_id, {})[event.taken] = None
    draw = np.random.default_rng(seed)
    held: dict[str, set[str]] = {}
    for user, theirs in items.items():
        drawn = draw.permutation(len(theirs))[max(1, round(share * len(theirs))) :]
        if len(drawn):
            names = list(theirs)
            held[user] = {names[number] for number in drawn.tolist()}
    nothing: set[str] = set()
    train = [event for event in events if event.event.item_id not in held.get(event.user_id, nothing)]
    return train, held


def run(
    dataset: Dataset,
    settings: Settings,
    k: int,
    share: float,
    seed: int,
    peers: Mapping[str, Peer],
    progress: Callable[[int], object],
) -> dict[str, Found]:
    """Lists of the product, of popularity and of `peers` on the split of one seed.

    `progress(n)`: n more events are done. Raises `SetupError` if nothing is held back.
    """
    train, held = split(dataset.events, share, seed)
    if not held:
        raise SetupError(f"{dataset.name}: no user has items enough for a split at {share:g}")
    pipeline, against, taken = Pipeline(settings, train[0].at_ms), Against(peers), TakenItems()
    pipeline.put_items(dataset.items)
    histories: dict[str, set[str]] = {user: set() for user in held}
    for part in pipeline.train(train):
        new = [(event.user_id, event.taken) for event in part if event.taken is not None]
        against.follow(new)
        for user, item in new:
            taken.add(item)
            if user in held:
                histories[user].add(item)
        progress(len(part))
    against.fit()
    asked_ms = train[-1].at_ms + DAY_MS  # what was held back is not what came next: nobody is at it
    found, users = {name: Found(HeldOut(k)) for name in (OURS, POPULAR, *peers)}, list(held)
    for start in range(0, len(users), ASKED_AT_ONCE):
        asked = users[start : start + ASKED_AT_ONCE]
        ours = [[item.item_id for item in made.items] for made in pipeline.ask(dict.fromkeys(asked, asked_ms), k)]
        popular = [taken.most_frequent(k, histories[user]) for user in asked]
        for name, lists in {OURS: ours, POPULAR: popular, **against.ask(asked, k)}.items():
            for user, shown in zip(asked, lists, strict=True):
                found[name].accuracy.add(shown, held[user])
                found[name].exposure.add(shown, taken)
    pipeline.close()
    progress(len(dataset.events) - len(train))
    return found
