"""Candidates and settings that tests of the scorer share."""

from collections.abc import Mapping, Sequence

import numpy as np

from agents.packed import Candidates, pack_floats, pack_ints
from agents.records import Filters

SOURCES = ("item_cf", "ridge", "popular", "segment", "interest", "fresh")


def make_candidates(
    user_id: str = "u1",
    recommendation_id: str = "requests-0-1",
    scores: Mapping[str, Mapping[str, float]] | None = None,
    recent: Sequence[str] = (),
    because: Mapping[str, str] | None = None,
    *,
    k: int = 5,
    deadline_ms: int = 0,
    seen: Sequence[str] = (),
    actions: str = "",
    query: str = "",
    context_item: str = "",
    filters: Filters | None = None,
) -> Candidates:
    """Candidates from `scores` {item: {source: score}} and `because` {item: item of the history}."""
    scores = {"a": {"item_cf": 2.0}, "b": {"item_cf": 1.0, "popular": 3.0}} if scores is None else scores
    table = np.array([[of_item.get(source, 0.0) for of_item in scores.values()] for source in SOURCES], np.float32)
    places = [list(recent).index(because[item]) if because and item in because else -1 for item in scores]
    return Candidates(
        user_id=user_id,
        recommendation_id=recommendation_id,
        triggers=[recommendation_id],
        request_id=f"r-{recommendation_id}",
        k=k,
        asked_ms=1_000,
        deadline_ms=deadline_ms,
        recent=list(recent),
        seen=list(seen),
        items=list(scores),
        sources=list(SOURCES),
        scores=pack_floats(table),
        because=pack_ints(np.array(places, np.int64)),
        history_length=len(recent),
        query=query,
        context_item=context_item,
        filters=filters or Filters(),
        actions=actions,
    )
