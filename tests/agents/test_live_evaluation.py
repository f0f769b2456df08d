"""The evaluation agent on its table: sums equal a plain replay, whatever the batches, also after a restart."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from agents.erasures import erasure_key
from agents.errors import RecordError
from agents.evaluation.memory import MemoryTable
from agents.experiments import VariantReport, report
from agents.live_evaluation import LiveAgent, moments_key, read_moments, slice_of
from agents.live_users import Slice
from agents.packed import LIVE_USER, MOMENTS, Moments, pack_ints
from agents.partition import partition_of
from agents.records import Outcome, RankedItem, Recommendation, encode_json
from agents.runtime.metrics import Metrics
from agents.settings import Settings, read_settings
from models.accuracy import NOT_IN_LIST, Accuracy
from models.live_hits import LiveUser, item_hash
from models.user_sums import COUNTERS, Ints, moments_of
from tests.agents.in_memory import Log, Worker
from tests.agents.runtime.test_positions import Rec
from tests.broker.support import newest
from tests.live_reference import Counts, UserLog, plain_counts, sums

SETTINGS = read_settings(user_partitions=1, evaluation_k=3, attribution_s=0.5)
BEGIN_MS = 1_700_000_000_000
ITEMS, USERS = "abcdefghij", [f"u{number}" for number in range(12)]


def event(user: str, item: str, offset: int, at_ms: int, kind: str = "purchase") -> Rec:
    value = {"user_id": user, "item_id": item, "event_type": kind}
    return Rec("events", 0, offset, BEGIN_MS + at_ms, user.encode(), json.dumps(value).encode())


def listed(user: str, items: Sequence[str], offset: int, at_ms: int, variant: str, source: str = "item_cf") -> Rec:
    ranked = [RankedItem(item, 1.0, "", sources={"popular": 0.1, source: 0.9}) for item in items]
    asked_at = (BEGIN_MS + at_ms) / 1000
    one = Recommendation(f"l{offset}", user, ranked, [], asked_at, variant=variant, asked_at=asked_at)
    return Rec("recommendations", 0, offset, BEGIN_MS + at_ms, user.encode(), encode_json(one))


def outcome(
    user: str, kind: str, position: int, offset: int, at_ms: int, variant: str, source: str, of_list: str = "l"
) -> Rec:
    one = Outcome(user, of_list, kind, 1.0, "a", position, variant=variant, source=source)  # type: ignore[arg-type]
    return Rec("outcomes", 0, offset, BEGIN_MS + at_ms, user.encode(), encode_json(one))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def worker(tmp_path: Path, log: Log) -> Iterator[Worker]:
    made = Worker(SETTINGS, tmp_path, "evaluation", LiveAgent(SETTINGS, Metrics()), log)
    yield made
    made.close()


def rows(worker: Worker, log: Log) -> dict[bytes, bytes]:
    return {key: value for (_, key), value in newest(log.all(worker.changelog)).items()}  # type: ignore[arg-type]


def found_sums(worker: Worker, log: Log) -> dict[Slice, Ints]:
    found = {place: value for key, value in rows(worker, log).items() if (place := slice_of("1", key)) is not None}
    return {place: moments for place, value in found.items() if (moments := read_moments(value)).any()}


def moments_from(users: Sequence[Counts]) -> dict[Slice, Ints]:
    """What the sums must be, from each user's counts; a slice has the user's events of the whole."""
    vectors: dict[Slice, list[list[int]]] = defaultdict(list)
    for counts in users:
        for (variant, name), of_slice in counts.items():
            events = counts.get((variant, "all"), Counter())["events"]
            vectors[variant, name].append([events if what == "events" else of_slice[what] for what in COUNTERS])
    return {place: moments_of(np.array(found, np.int64)) for place, found in vectors.items()}


def equal(one: dict[Slice, Ints], other: dict[Slice, Ints]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[place], other[place]) for place in one)


def a_stream(deal: random.Random) -> tuple[dict[str, list[Rec]], dict[str, UserLog]]:
    """Records by topic, in log order, and what they say of each user."""
    topics: dict[str, list[Rec]] = {"events": [], "recommendations": [], "outcomes": []}
    logs = {user: UserLog() for user in USERS}
    for at_ms in range(1, 600):
        user, variant, source = deal.choice(USERS), deal.choice(["default", "x"]), deal.choice(["item_cf", "fresh"])
        kind = deal.choice([*topics])
        offset = len(topics[kind])
        if kind == "events":
            item, event_type = deal.choice(ITEMS), deal.choice(["purchase", "view", "dislike", "impression"])
            topics[kind].append(event(user, item, offset, at_ms, event_type))
            logs[user].events.append((at_ms, item, event_type))
        elif kind == "recommendations":
            items = deal.sample(ITEMS, deal.randrange(5))
            topics[kind].append(listed(user, items, offset, at_ms, variant, source))
            logs[user].lists.append(((at_ms, offset), variant, items, [source] * len(items)))
        else:
            what, position = deal.choice(["shown", "clicked", "bought", "skipped"]), deal.randrange(12)
            topics[kind].append(outcome(user, what, position, offset, at_ms, variant, source))
            logs[user].outcomes.append((variant, what, source, position))
    return topics, logs


@pytest.mark.parametrize("seed", range(5))
def test_sums_equal_a_plain_replay_whatever_the_batches_and_after_restarts(seed: int, tmp_path: Path, log: Log) -> None:
    deal = random.Random(seed)
    topics, logs = a_stream(deal)
    worker = Worker(SETTINGS, tmp_path, "evaluation", LiveAgent(SETTINGS, Metrics()), log)
    while any(topics.values()):
        topic = deal.choice([name for name, left in topics.items() if left])
        size = deal.randrange(1, 15)
        worker.absorb(topic, topics[topic][:size])
        topics[topic] = topics[topic][size:]
        if deal.random() < 0.1:
            worker.close()
            worker = Worker(SETTINGS, tmp_path, "evaluation", LiveAgent(SETTINGS, Metrics()), log)
    worker.close()
    users = [plain_counts(one, k=3, window_ms=500) for one in logs.values()]
    assert equal(found_sums(worker, log), moments_from(users))
    reported = {(one.variant, one.slice): one for one in report(found_sums(worker, log))}
    check_rates(reported, logs)
    total = sums(users)
    for place, counts in total.items():
        assert {what: reported[place].counts[what] for what in reported[place].counts if what in counts} == {
            what: count for what, count in counts.items() if what in reported[place].counts
        }


def check_rates(reported: dict[Slice, VariantReport], logs: dict[str, UserLog]) -> None:
    """The hit rate and its interval are those of `models.accuracy` on the events one by one."""
    for variant in ("default", "x"):
        plain = Accuracy()
        for user, one in logs.items():
            counts = plain_counts(one, k=3, window_ms=500)[variant, "all"]
            for number in range(counts["events"]):
                plain.add(user, 0 if number < counts["hits"] else NOT_IN_LIST)
        rate, found = plain.hit_rate(10), reported[variant, "all"].rates["hit_rate"]
        assert found.value == pytest.approx(rate.value)
        assert found.high - found.low == pytest.approx(2 * 1.959964 * rate.error)


def test_an_erased_user_leaves_sums_and_nothing_else(worker: Worker, log: Log) -> None:
    worker.absorb("events", [event("ana", "z", 0, 1)])
    worker.absorb("recommendations", [listed("ana", "ab", 0, 5, "x")])
    worker.absorb("events", [event("ana", "a", 1, 6)])
    before = found_sums(worker, log)
    assert LIVE_USER.read(rows(worker, log)[b"ana"]).counts["x"]["all"][-2:] == [1, 1]
    worker.absorb("users", [Rec("users", 0, 0, BEGIN_MS + 10, b"ana", None)])
    left = rows(worker, log)
    assert set(left) == {erasure_key(b"ana"), *(moments_key("1", *place) for place in before)}
    assert equal(found_sums(worker, log), before)
    older = [event("ana", "b", 2, 10), event("ana", "c", 3, 9)]
    worker.absorb("events", older)
    worker.absorb("recommendations", [listed("ana", "ab", 1, 10, "x")])
    worker.absorb("outcomes", [outcome("ana", "clicked", 0, 0, 10, "x", "fresh")])
    assert rows(worker, log) == left
    ignored = worker.metrics.registry.get_sample_value
    assert ignored("profilestream_ignored_total", {"topic": "events", "reason": "before_erasure"}) == 2
    worker.absorb("events", [event("ana", "b", 4, 11)])
    anew = LIVE_USER.read(rows(worker, log)[b"ana"])
    assert (anew.history, anew.lists, anew.events, anew.counts) == ([item_hash("b")], [], [], {})


def test_another_experiment_is_counted_anew_beside_the_last_one(tmp_path: Path, log: Log) -> None:
    def play(settings: Settings, first: int) -> Worker:
        worker = Worker(settings, tmp_path, "evaluation", LiveAgent(settings, Metrics()), log)
        worker.absorb("events", [event("ana", f"z{first}", first, first * 10 + 1)])
        worker.absorb("recommendations", [listed("ana", ["a", f"b{first}"], first, first * 10 + 5, "x")])
        worker.absorb("events", [event("ana", f"b{first}", first + 1, first * 10 + 6)])
        worker.close()
        return worker

    play(SETTINGS, 0)
    play(SETTINGS, 2)
    before = found_sums(play(SETTINGS, 4), log)
    assert before["x", "all"][0, -2:].tolist() == [5, 3]  # an event on a new item before each list but the first, too
    again = play(SETTINGS.model_copy(update={"experiment": "2"}), 6)
    assert equal(found_sums(again, log), before)
    (whole,) = (read_moments(value) for key, value in rows(again, log).items() if slice_of("2", key) == ("x", "all"))
    assert whole[0, -2:].tolist() == [1, 1]


def test_outcomes_of_lists_of_the_last_experiment_do_not_count_in_the_next(tmp_path: Path, log: Log) -> None:
    first = Worker(SETTINGS, tmp_path, "evaluation", LiveAgent(SETTINGS, Metrics()), log)
    first.absorb("recommendations", [listed("ana", "ab", 0, 5, "x")])
    first.close()
    settings = SETTINGS.model_copy(update={"experiment": "2"})
    worker = Worker(settings, tmp_path, "evaluation", LiveAgent(settings, Metrics()), log)
    worker.absorb("outcomes", [outcome("ana", "clicked", 0, 0, 6, "x", "fresh", of_list="l0")])
    worker.absorb("recommendations", [listed("ana", "ab", 1, 7, "x")])
    worker.absorb("outcomes", [outcome("ana", "clicked", 1, 1, 8, "x", "fresh", of_list="l1")])
    worker.close()
    counted = LIVE_USER.read(rows(worker, log)[b"ana"]).counts["x"]
    assert {name for name, counts in counted.items() if counts[COUNTERS.index("clicked")]} == {
        "all",
        "source:fresh",
        "place:2-3",
    }
    assert counted["all"][COUNTERS.index("clicked")] == 1


def test_without_consent_nothing_is_kept_but_that_fact(worker: Worker, log: Log) -> None:
    worker.absorb("events", [event("ana", "z", 0, 1)])
    worker.absorb("users", [Rec("users", 0, 0, BEGIN_MS + 2, b"ana", b'{"user_id": "ana", "consent": false}')])
    worker.absorb("events", [event("ana", "a", 1, 3)])
    worker.absorb("recommendations", [listed("ana", "ab", 0, 5, "x")])
    assert LIVE_USER.read(rows(worker, log)[b"ana"]) == LiveUser(consent=False, experiment="1")
    assert found_sums(worker, log) == {}
    worker.absorb("users", [Rec("users", 0, 1, BEGIN_MS + 9, b"ana", b'{"user_id": "ana"}')])
    worker.absorb("events", [event("ana", "b", 2, 9)])
    kept = LIVE_USER.read(rows(worker, log)[b"ana"])
    assert (kept.consent, len(kept.history)) == (True, 1)


def test_bad_and_misplaced_records_are_counted_for_another_worker_puts_them_aside(tmp_path: Path, log: Log) -> None:
    settings = read_settings(user_partitions=4)
    worker = Worker(settings, tmp_path, "evaluation", LiveAgent(settings, Metrics()), log)
    keys = [f"u{number}" for number in range(20)]
    worker.absorb("events", [event(user, "a", number, number) for number, user in enumerate(keys)])
    bad, here = b'{"user_id": broken', next(key for key in map(str, range(100)) if partition_of(key.encode(), 4) == 0)
    for topic in ("events", "users", "recommendations", "outcomes"):
        worker.absorb(topic, [Rec(topic, 0, 20, BEGIN_MS, here.encode(), bad)])
    worker.absorb(
        "outcomes", [Rec("outcomes", 0, 21, BEGIN_MS, b"another", outcome("u", "shown", 0, 0, 0, "x", "s").value)]
    )
    ignored = {
        (sample.labels["topic"], sample.labels["reason"]): sample.value
        for metric in worker.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "profilestream_ignored_total"
    }
    misplaced = ignored.pop(("events", "misplaced"))
    assert misplaced + len([key for key in rows(worker, log) if key.startswith(b"u")]) == len(keys)
    assert 0 < misplaced < len(keys)
    assert ignored == {
        ("events", "bad"): 1,
        ("users", "bad"): 1,
        ("recommendations", "bad"): 1,
        ("outcomes", "bad"): 2,
    }
    assert {topic for topic, _ in log.records} == {worker.changelog}
    worker.close()


def gauges(metrics: Metrics) -> dict[tuple[str, str, str], float]:
    return {
        (sample.name, sample.labels["variant"], sample.labels.get("source", "")): sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name.startswith("profilestream_live_")
    }


def test_metrics_come_from_the_table_and_so_outlive_a_restart(tmp_path: Path, log: Log) -> None:
    metrics = Metrics()
    worker = Worker(SETTINGS, tmp_path, "evaluation", LiveAgent(SETTINGS, metrics), log)
    worker.absorb("events", [event("ana", "z", 0, 1)])
    worker.absorb("recommendations", [listed("ana", "ab", 0, 5, "x"), listed("bob", "ab", 1, 5, "default", "fresh")])
    worker.absorb("events", [event("ana", "a", 1, 6)])
    worker.absorb("outcomes", [outcome("ana", "bought", 0, 0, 7, "x", "item_cf")])
    told = gauges(metrics)
    worker.close()
    assert told["profilestream_live_hits", "x", "item_cf"] == 1
    assert told["profilestream_live_events", "x", ""] == 1
    assert told["profilestream_live_bought", "x", "item_cf"] == 1
    assert told["profilestream_live_places", "default", "fresh"] == 2
    again = Metrics()
    Worker(SETTINGS, tmp_path, "evaluation", LiveAgent(SETTINGS, again), log).close()
    assert gauges(again) == told


def test_gauges_of_lost_partitions_go_to_nothing(tmp_path: Path, log: Log) -> None:
    metrics = Metrics()
    agent = LiveAgent(SETTINGS, metrics)
    worker = Worker(SETTINGS, tmp_path, "evaluation", agent, log)
    worker.absorb("recommendations", [listed("ana", "ab", 0, 5, "x")])
    assert gauges(metrics)["profilestream_live_lists", "x", ""] == 1
    agent.assigned(frozenset(), MemoryTable())
    assert set(gauges(metrics).values()) == {0}
    worker.close()


def test_sums_of_another_size_are_refused() -> None:
    with pytest.raises(RecordError, match="3 sums, not 66"):
        read_moments(MOMENTS.write(Moments(pack_ints(np.arange(3)))))
    assert slice_of("1", b"ana") is None
    assert slice_of("1", moments_key("1", "x", "source:fresh")) == ("x", "source:fresh")
    assert slice_of("1", moments_key("2", "x", "source:fresh")) is None
