"""What the pipeline left in its topics against a plain replay of the log: every difference is one line of text."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from agents.erasures import PREFIX
from agents.packed import NEIGHBOURS, PROFILE, Neighbours, unpack_floats, unpack_ints
from agents.runtime.store import PartitionStore
from agents.settings import Settings
from agents.topics import Topics, build_topics
from models.plain import Published, co_weights, ridge_weights
from models.profile import Profile, unpack_contact
from tests.broker.ledger import Ledger
from tests.broker.reference import largest
from tests.broker.rows import item_rows
from tests.broker.support import Cluster, behind, drained, newest, read_all

Weights = Mapping[str, Mapping[str, float]]
MOST_SHOWN = 5
"""Names in one line."""


def wait_until_settled(workers: Cluster, settings: Settings, timeout_s: float = 180.0) -> None:
    """Wait until all workers have absorbed all there is, also what they sent each other on the way."""
    topics = build_topics(settings)
    stages = (
        ("profiles", topics.events),
        ("profiles", topics.requests),
        ("scorer", topics.candidates),
        ("profiles", topics.recommendations),
        ("similarity", topics.cooccurrence),
    )
    # Twice: an event that is forwarded at the last moment is a new record of a topic that was looked at already.
    for worker, topic in stages * 2:
        try:
            workers.wait_until(lambda w=worker, t=topic: drained(settings, w, t), f"the end of {topic.name}", timeout_s)  # type: ignore[misc]
        except AssertionError as exc:
            left = behind(settings, worker, topic)
            raise AssertionError(f"partition: (absorbed, end) of {topic.name}: {left}\n{exc}") from exc


def wait_for_neighbours(workers: Cluster, settings: Settings, ledger: Ledger, timeout_s: float = 120.0) -> None:
    """Wait until the published neighbours are those of the reference: they are recomputed lazily."""
    weights = co_weights(ledger.reference.co_counts()[0], settings.shrinkage)
    workers.wait_until(lambda: not any(neighbour_differences(settings, weights)), "neighbours as recomputed", timeout_s)


def differences(settings: Settings, ledger: Ledger) -> list[str]:
    """All that differs from the replay; nothing, if everything is exact."""
    topics = build_topics(settings)
    rows = newest(read_all(settings, topics.profiles_changelog.name))
    profiles = {key.decode(): PROFILE.read(value) for (_, key), value in rows.items() if not key.startswith(PREFIX)}
    weights = co_weights(ledger.reference.co_counts()[0], settings.shrinkage)
    return [
        *_history_differences(profiles, ledger),
        *_item_row_differences(settings, ledger),
        *neighbour_differences(settings, weights),
        *_dead_letter_differences(settings, topics, ledger),
        *_forwarding_differences(ledger),
        *_list_differences(settings, topics, ledger),
        *_outcome_differences(settings, topics, profiles),
    ]


def local_differences(settings: Settings) -> list[str]:
    """Local rows that are not what the changelog says up to the offset that they stand for. No worker may run."""
    topics = build_topics(settings)
    found = []
    for folder, changelog in (
        ("profiles-*/profiles", topics.profiles_changelog),
        ("similarity-*/item_rows", topics.item_rows_changelog),
    ):
        log = read_all(settings, changelog.name)
        for path in sorted(settings.data_dir.glob(f"{settings.topic_prefix}{folder}/*")):
            store = PartitionStore(path)
            position, rows, partition = store.position(), dict(store.scan(b"")), int(path.name)
            store.close()
            end = position.offset if position is not None else -1
            expected = newest([record for record in log if record.partition == partition and record.offset <= end])
            if {(partition, key): value for key, value in rows.items()} != expected:
                found.append(f"local rows in {path}")
    return found


def _some(what: str, names: Any) -> Iterator[str]:
    """One line, if there are names."""
    found = sorted(map(str, names))
    if found:
        yield f"{what}: {len(found)} ({', '.join(found[:MOST_SHOWN])})"


def _history_differences(profiles: Mapping[str, Profile], ledger: Ledger) -> Iterator[str]:
    histories = ledger.reference.histories
    yield from _some("users without a profile", histories.keys() - profiles.keys())
    # A user who only asked for a list has a profile that follows the list, and no history.
    yield from _some("profiles of nobody", {u for u, p in profiles.items() if p.contacts} - histories.keys())
    held = {
        user: [(item, unpack_contact(contact)[1]) for item, contact in profile.contacts.items()]
        for user, profile in profiles.items()
    }
    yield from _some("histories", [u for u, history in histories.items() if held.get(u, []) != [*history.items()]])
    counted = sum(profile.events for profile in profiles.values())
    if counted != ledger.events:
        yield f"events counted in profiles: {counted}, absorbed according to the log: {ledger.events}"


def _item_row_differences(settings: Settings, ledger: Ledger) -> Iterator[str]:
    found, heads = item_rows(settings)
    pairs, users = ledger.reference.co_counts()
    for what, held, expected in (
        ("co-counts", {item: near for item, near in found.items() if near}, pairs),
        ("users of items", +Counter({item: head.users for item, head in heads.items()}), users),
        ("events of items", +Counter({i: h.events for i, h in heads.items()}), ledger.reference.popularity),
        (
            "ratings of items",
            {item: (head.rating_sum, head.raters) for item, head in heads.items() if head.raters or head.rating_sum},
            ledger.reference.ratings(),
        ),
    ):
        both = held.keys() | expected.keys()
        yield from _some(what, [item for item in both if held.get(item) != expected.get(item)])
    yield from _some("rows not published", [item for item, head in heads.items() if head.dirty])


def neighbour_differences(settings: Settings, weights: Weights) -> Iterator[str]:
    """Items whose published neighbours are not the strongest by the recomputed weights."""
    rows = newest(read_all(settings, build_topics(settings).neighbours.name))
    published = {key.decode(): NEIGHBOURS.read(value) for (_, key), value in rows.items()}
    yield from _some("items without neighbours", weights.keys() - published.keys())
    most = settings.neighbours_published
    wrong = [item for item, row in published.items() if not _row_equals(row, weights.get(item, {}), most)]
    yield from _some("neighbours", wrong)
    yield from _some("ridge weights", wrong_ridge(settings, published))


def wrong_ridge(settings: Settings, published: Mapping[str, Neighbours]) -> list[str]:
    """Items whose ridge weights are not those of what is published by now."""
    told = {
        item: Published(
            row.users,
            row.c_sum,
            dict(zip(row.ids, zip(unpack_ints(row.g).tolist(), unpack_ints(row.c).tolist(), strict=True), strict=True)),
        )
        for item, row in published.items()
    }
    most, ridge, regularisation = (
        settings.neighbours_published,
        settings.ridge_neighbours,
        settings.ridge_regularisation,
    )
    expected = ridge_weights(told, told, most, ridge, regularisation)
    return [
        item
        for item, row in published.items()
        for found, weights in ((unpack_floats(row.ridge), [*expected[item].values()]),)
        if len(found) != len(weights) or not np.allclose(found, weights, rtol=1e-3, atol=1e-5)
    ]


def _row_equals(row: Neighbours, near: Mapping[str, float], most: int) -> bool:
    found = unpack_floats(row.weights)
    expected = [near.get(other, -1.0) for other in row.ids]
    best = largest(near, most)
    return len(found) == len(best) and np.allclose(found, expected, rtol=1e-5) and np.allclose(found, best, rtol=1e-5)


def _dead_letter_differences(settings: Settings, topics: Topics, ledger: Ledger) -> Iterator[str]:
    """Every bad record exactly once, with its reason and its bytes; nothing else."""
    count: Counter[str] = Counter()
    for letter in read_all(settings, topics.dead_letters.name):
        headers = {name: value.decode() for name, value in letter.headers}
        place = f"{headers['topic']}-{headers['partition']}-{headers['offset']}"
        count[place] += 1
        if place in ledger.bad:
            reason, record = ledger.bad[place]
            if (headers["reason"], letter.value, letter.key) != (reason, record.value, record.key):
                yield f"dead letter of {place}: {headers['reason']} instead of {reason}, or other bytes"
    yield from _some("dead letters missing", ledger.bad.keys() - count.keys())
    yield from _some("dead letters of good records", count.keys() - ledger.bad.keys())
    yield from _some("dead letters more than once", [place for place, times in count.items() if times > 1])


def _forwarding_differences(ledger: Ledger) -> Iterator[str]:
    if ledger.forwarded != Counter(list(ledger.misplaced)):
        wrong = ledger.misplaced.keys() ^ ledger.forwarded.keys()
        yield from _some("misplaced records not forwarded exactly once", wrong or ledger.forwarded)


def _list_differences(settings: Settings, topics: Topics, ledger: Ledger) -> Iterator[str]:
    """Every trigger in one list, or in one outcome: `expired` for requests, `stale` for events; no list more."""
    records = read_all(settings, topics.recommendations.name)
    answered: Counter[str] = Counter()
    for record in records:
        one = json.loads(record.value or b"")
        triggers = one["triggers"]
        answered.update(triggers)
        if not triggers or one["recommendation_id"] != triggers[-1]:
            yield f"list {one['recommendation_id']} is not named by its last trigger"
        if any(ledger.triggers.get(name) != (record.partition, record.key) for name in triggers):
            yield f"list {one['recommendation_id']} went to another user or partition than its trigger"
        if one["request_id"] != ledger.requests.get(triggers[-1]):
            yield f"list {one['recommendation_id']} has the request_id {one['request_id']}"
    outcomes = [json.loads(record.value or b"") for record in read_all(settings, topics.outcomes.name)]
    expired = Counter(one["recommendation_id"] for one in outcomes if one["outcome"] == "expired")
    stale = Counter(name for one in outcomes if one["outcome"] == "stale" for name in one["triggers"])
    given = answered + expired + stale
    yield from _some("triggers without a list", ledger.triggers.keys() - given.keys())
    yield from _some("lists of no trigger", given.keys() - ledger.triggers.keys())
    yield from _some("triggers with more than one list", [name for name, times in given.items() if times > 1])
    yield from _some("expired, but no request", expired.keys() - ledger.requests.keys())
    yield from _some("stale, but no event", stale.keys() & ledger.requests.keys())


def count_lists(settings: Settings) -> tuple[int, int]:
    """Lists that were sent, requests that expired."""
    topics = build_topics(settings)
    outcomes = [json.loads(record.value or b"") for record in read_all(settings, topics.outcomes.name)]
    expired = sum(one["outcome"] == "expired" for one in outcomes)
    return len(read_all(settings, topics.recommendations.name)), expired


def _outcome_differences(settings: Settings, topics: Topics, profiles: Mapping[str, Profile]) -> Iterator[str]:
    """No outcome twice; of a list that is not followed any more every item was touched or counts as skipped."""
    outcomes = [json.loads(record.value or b"") for record in read_all(settings, topics.outcomes.name)]
    seen = Counter(
        (one["recommendation_id"], one["position"], one["outcome"]) for one in outcomes if one["position"] is not None
    )
    yield from _some("outcomes more than once", [outcome for outcome, times in seen.items() if times > 1])
    followed = {flight.recommendation_id for profile in profiles.values() for flight in profile.lists}
    decided = Counter(name for name, place in {(n, p) for n, p, kind in seen if kind != "shown"} if place is not None)
    for record in read_all(settings, topics.recommendations.name):
        one = json.loads(record.value or b"")
        name, items = one["recommendation_id"], one["items"]
        if name not in followed and decided[name] != len(items):
            yield f"list {name}: {decided[name]} of {len(items)} items have an outcome"
