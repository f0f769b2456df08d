"""Scorers with a cross-encoder on a real Kafka: one list each, whatever happens, and none that is late."""

import signal
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.records import Item
from agents.settings import Settings
from tests.broker.scorer_support import (
    check_one_list_each,
    lists,
    packed,
    send_items,
    start,
    wait_until_done,
)
from tests.broker.support import broker_settings, cluster, send

pytest.importorskip("torch")
from tests.models.bert.tiny import make_model

pytestmark = pytest.mark.broker

READ = 8
CHINESE = {"i0": "红色的杯子", "i1": "一个白茶壶", "i2": "适合两人的茶壶", "i4": "白色的杯子", "i5": "好茶"}


@pytest.fixture
def settings(kafka: str, unique: str, tmp_path: Path) -> Settings:
    made = broker_settings(
        kafka, unique, tmp_path / "data", scorer_batch=200, cross_candidates=READ, device="cpu", cross_ms=5_000
    )
    create_topics(made)
    return made


@pytest.fixture
def model(tmp_path: Path) -> dict[str, str]:
    """The variables that name a small cross-encoder."""
    return {"PROFILESTREAM_CROSS_MODEL": str(make_model(tmp_path / "reader"))}


def test_a_scorer_killed_while_it_reads_makes_each_list_once(
    settings: Settings, model: dict[str, str], tmp_path: Path
) -> None:
    topics, lot, lots = send_items(settings), 60, 6
    with cluster(settings, tmp_path) as workers:
        scorer = start(workers, "1", **model)
        for number in range(lots):
            send(settings, topics.candidates, packed(number * lot, lot))
            if number % 2:  # it reads for as long as a kill takes
                scorer.kill()
                scorer.wait()
            wait_until_done(workers, topics, 180)
        assert scorer.codes.count(-signal.SIGKILL) == lots // 2
    count = lots * lot
    check_one_list_each(settings, topics, count)
    for _, one in lists(settings, topics):
        assert (str(one["cross_model"]).rpartition("-")[0], one["cross_scored"]) == ("reader", READ)
        assert one["degraded"] is False
        items = one["items"]
        assert isinstance(items, list)
        assert max(item["features"]["bert"] for item in items) == 1


def test_what_there_is_no_time_for_goes_out_in_the_order_of_the_blend(
    settings: Settings, model: dict[str, str], tmp_path: Path
) -> None:
    topics, count = send_items(settings), 400
    send(settings, topics.candidates, packed(0, count))
    with cluster(settings, tmp_path) as workers:
        start(workers, "1", **model, PROFILESTREAM_CROSS_MS="1", PROFILESTREAM_CROSS_CANDIDATES="50")
        wait_until_done(workers, topics)
    check_one_list_each(settings, topics, count)
    unread = [one for _, one in lists(settings, topics) if not one["cross_scored"]]
    assert len(unread) > count / 2
    for one in unread:
        assert (one["degraded"], one["degraded_reason"], one["cross_model"]) == (True, "no time", None)
        items = one["items"]
        assert isinstance(items, list)
        assert items[0]["item_id"] == "i0"
        assert all("bert" not in item["features"] for item in items)


def test_chinese_titles_are_read_and_sent_as_they_are(
    settings: Settings, model: dict[str, str], tmp_path: Path
) -> None:
    topics = send_items(
        settings, [Item(item_id=item, title=title, categories=["茶"]) for item, title in CHINESE.items()]
    )
    scores = {"i0": {"item_cf": 2.0}, "i4": {"item_cf": 1.0}, "i5": {"popular": 1.0}}
    send(settings, topics.candidates, packed(0, 10, scores=scores))
    with cluster(settings, tmp_path) as workers:
        start(workers, "1", **model)
        wait_until_done(workers, topics)
    check_one_list_each(settings, topics, 10)
    for _, one in lists(settings, topics):
        items = one["items"]
        assert isinstance(items, list)
        assert {item["item_id"]: item["title"] for item in items} == {
            item: CHINESE[item] for item in ("i0", "i4", "i5")
        }
        assert one["cross_scored"] == 3
        # The model tells texts of other characters apart.
        assert len({item["features"]["bert"] for item in items}) == 3
