"""What an export tells of a profile."""

import json

from agents.export import profile_fields
from models.features import pack_features
from models.history import History
from models.profile import EarlyAction, ListInFlight, Profile, pack_contact


def test_a_profile_is_told_by_names_and_is_json() -> None:
    flight = ListInFlight(
        "one", ["a", "b"], pack_features([[{"popular": 0.5}, {"ridge": 1.0}]])[0], 1, 2, sources=["popular"]
    )
    profile = Profile(
        History.of({"a": pack_contact(7, 2.5, rated=True)}),
        interests={"tea": 0.5},
        lists=[flight],
        early=[EarlyAction("x", "a", "view", 3)],
    )
    told = json.loads(json.dumps(profile_fields(profile)))
    assert told["history"] == [{"item_id": "a", "last_at": 7, "strength": 2.5, "rated": True}]
    assert told["interests"] == {"tea": 0.5}
    assert told["lists"] == [
        {
            "recommendation_id": "one",
            "items": ["a", "b"],
            "features": [{"popular": 0.5}, {"ridge": 1.0}],
            "sent_ms": 1,
            "event_count": 2,
            "touched": [],
            "variant": "default",
            "sources": ["popular"],
        }
    ]
    assert told["early"] == [{"recommendation_id": "x", "item_id": "a", "event_type": "view", "at_ms": 3}]
