"""The bundled sample is what its README says."""

import itertools
from importlib.resources import files

from agents import sample

MOST_BYTES = 3_000_000


def test_every_purchase_is_there_in_the_order_of_time() -> None:
    events = list(sample.events())
    assert len(events) == 49_839
    assert len({event["user_id"] for event in events}) == 656
    assert all(a["timestamp"] <= b["timestamp"] for a, b in itertools.pairwise(events))
    assert {event["event_type"] for event in events} == {"purchase"}
    assert all(set(event) == {"user_id", "item_id", "event_type", "timestamp"} for event in events)


def test_every_item_that_was_bought_is_in_the_catalogue_once() -> None:
    items = sample.items()
    ids = [item["item_id"] for item in items]
    assert len(ids) == len(set(ids)) == 3_058
    assert {event["item_id"] for event in sample.events()} == set(ids)
    assert all(item["title"] and item["price"] >= 0 for item in items)
    assert sum(not item["categories"] for item in items) == 855


def test_services_are_left_out() -> None:
    assert all(event["item_id"][:5].isdigit() for event in sample.events())


def test_it_is_small() -> None:
    folder = files("agents.sample")
    assert sum(len(entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".gz")) < MOST_BYTES
