"""The work of the benchmark `update`, one event at a time: what every peer does, in the words of plain Python.

A profile is {"items": {item: weight}, "vector": [a float for each category]}. Only the standard library is imported:
peers run in an environment of their own. Where the broker is and what to read comes from the variables `PEER_*`.
"""

import os
from typing import Any

WEIGHT = {"view": 1.0, "click": 2.0, "cart": 3.0, "purchase": 5.0}
MAX_ITEMS, CATEGORIES, KEPT = 200, 50, 0.9
"""`KEPT`: what is left of the averaged vector after another event."""

BROKER = os.environ.get("PEER_BROKER", "127.0.0.1:9092")
SOURCE = os.environ.get("PEER_IN", "events")
ANSWERS = os.environ.get("PEER_OUT", "update-answers")
GROUP = os.environ.get("PEER_GROUP", "update")
FOLDER = os.environ.get("PEER_DIR", "update-data")
COUNT = int(os.environ.get("PEER_EVENTS", "0"))
"""Events after which the peer may end by itself."""

Profile = dict[str, Any]
Answer = dict[str, Any]


def category_of(item: str) -> int:
    """Category of an item such as `i1234`."""
    return int(item[1:]) % CATEGORIES


def update(profile: Profile | None, event: dict[str, Any]) -> tuple[Profile, Answer]:
    """Fold an event into a profile (None: a new user); the profile and the answer."""
    if profile is None:
        profile = {"items": {}, "vector": [0.0] * CATEGORIES}
    items, item, weight = profile["items"], event["item_id"], WEIGHT[event["event_type"]]
    items[item] = items.get(item, 0.0) + weight
    if len(items) > MAX_ITEMS:
        del items[min(items, key=items.get)]
    vector = [KEPT * value for value in profile["vector"]]
    vector[category_of(item)] += (1 - KEPT) * weight
    profile["vector"] = vector
    return profile, {
        "user_id": event["user_id"],
        "n_items": len(items),
        "top_category": vector.index(max(vector)),
    }
