"""New items through all agents on a log in memory: shown, what came of it counted, and shown no more when known."""

from collections import Counter

from agents.access import grants_of
from agents.evaluation.pipeline import Pipeline
from agents.records import Event, Recommendation, encode_json
from agents.settings import read_settings
from models.pool import EXPLORE

NOW_MS = 1_790_000_000_000
STEP_MS = 60_000
KNOWN, NEW = [f"known{n}" for n in range(12)], [f"new{n}" for n in range(4)]
IMPRESSIONS = 3


def event(user: str, item: str, at_ms: int) -> tuple[bytes, bytes]:
    return user.encode(), encode_json(Event(user, "purchase", item, at_ms / 1000))


def play(rounds: int) -> tuple[list[Recommendation], Pipeline]:
    """Users who buy known items ask for a list before each; nobody touches the new ones."""
    settings = read_settings(explore_slots=2, explore_impressions=IMPRESSIONS, attribution_events=1, lists_in_flight=1)
    pipeline = Pipeline(settings, NOW_MS, feedback=True)
    pipeline.put_items({"item_id": item, "title": item} for item in (*KNOWN, *NEW))
    pipeline.absorb([event(f"u{n}", item, NOW_MS) for n, item in enumerate(KNOWN)], NOW_MS)
    pipeline.settle()
    made = []
    for number in range(rounds):
        at_ms = NOW_MS + (number + 1) * STEP_MS
        made += pipeline.ask({f"u{number % 5}": at_ms}, 10)
        pipeline.absorb([event(f"u{number % 5}", KNOWN[(number * 5) % 12], at_ms + 1)], at_ms + 1)
        pipeline.tick()
    return made, pipeline


def explored(lists: list[Recommendation]) -> Counter[str]:
    return Counter(item.item_id for one in lists for item in one.items if item.sources == {EXPLORE: 1.0})


def test_each_new_item_is_shown_until_it_is_known() -> None:
    lists, pipeline = play(40)
    shown = explored(lists)
    assert shown.keys() == set(NEW)
    assert min(shown.values()) >= IMPRESSIONS
    # An item's last lists may still be open when it is shown again.
    assert max(shown.values()) <= IMPRESSIONS + 5 * 2
    assert not explored(lists[-5:]), "all are known by then"
    assert all(item.reason == "new in the catalogue" for one in lists for item in one.items if EXPLORE in item.sources)
    assert pipeline.rejected == Counter()
    pipeline.close()


def test_played_again_the_lists_are_the_same() -> None:
    first, second = play(15), play(15)
    assert first[0] == second[0]
    assert len(explored(first[0])) == len(NEW)
    for _, pipeline in (first, second):
        pipeline.close()


def test_what_is_explored_teaches_the_ranker_nothing() -> None:
    """The item was not there because of any score."""
    lists, pipeline = play(3)
    new = next(item for item in lists[-1].items if EXPLORE in item.sources)
    assert pipeline.ranker is not None
    before = pipeline.ranker.version
    at_ms = NOW_MS + 10 * STEP_MS
    pipeline.absorb([event(lists[-1].user_id, new.item_id, at_ms)], at_ms)
    assert pipeline.ranker.version == before
    pipeline.close()


def test_a_scorer_that_explores_may_read_who_had_to_do_with_what() -> None:
    reads = [
        {one.name for one in grants_of(read_settings(explore_slots=slots), "scorer") if "Read" in one.operations}
        for slots in (0, 1)
    ]
    assert reads[1] - reads[0] == {"neighbours"}
