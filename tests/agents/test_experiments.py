"""The report of variants: rates with intervals and differences to the default, as tables and as JSON."""

import io
import math

import numpy as np
import pytest
from rich.console import Console

from agents.commands.experiments import _table
from agents.experiments import VariantReport, report
from agents.live_users import Slice
from models.user_sums import AT, COUNTERS, Counter, Ints, moments_of


def users(count: int, **each: int) -> Ints:
    """Sums of so many users, whose hits and clicks alternate between all and none of what is given."""
    table = np.zeros((count, len(COUNTERS)), np.int64)
    for name, value in each.items():
        counter: Counter = name  # type: ignore[assignment]
        table[:, AT[counter]] = value
    table[::2, AT["hits"]] = 0
    return moments_of(table)


def reported(sums: dict[Slice, Ints]) -> dict[Slice, VariantReport]:
    return {(one.variant, one.slice): one for one in report(sums)}


SUMS: dict[Slice, Ints] = {
    ("wide", "all"): users(400, lists=2, places=20, clicked=3, events=4, hits=2),
    ("default", "all"): users(400, lists=2, places=20, clicked=3, events=4, hits=1),
    ("default", "source:fresh"): users(400, places=5, clicked=1, events=4, hits=1),
    ("wide", "source:fresh"): users(200, places=5, clicked=2, events=4, hits=1),
}


def test_a_variant_is_compared_with_the_default() -> None:
    found = reported(SUMS)
    assert [*found][:2] == [("default", "all"), ("wide", "all")]
    wide = found["wide", "all"]
    assert found["default", "all"].differences == {}
    assert wide.rates["hit_rate"].value == pytest.approx(0.25)
    assert wide.differences["hit_rate"].value == pytest.approx(0.125)
    assert wide.differences["hit_rate"].excludes_zero
    assert wide.differences["click_rate"].value == 0
    assert not wide.differences["click_rate"].excludes_zero
    assert (wide.users, wide.counts["lists"], wide.counts["events"]) == (400, 800, 1_600)


def test_places_come_in_the_order_of_a_list() -> None:
    names = ["place:11+", "source:fresh", "place:4-10", "all", "place:1", "place:2-3"]
    sums = {(variant, name): users(2, places=1) for name in names for variant in ("wide", "default")}
    found = [one.slice for one in report(sums) if one.variant == "wide"]
    assert found == ["all", "place:1", "place:2-3", "place:4-10", "place:11+", "source:fresh"]
    assert [one.variant for one in report(sums)] == ["default", "wide"] * len(names)


def test_hits_of_a_slice_are_a_share_of_all_events_and_clicks_one_of_its_own_places() -> None:
    fresh = reported(SUMS)["wide", "source:fresh"]
    assert fresh.rates["hit_rate"].value == pytest.approx(100 / 1_600)
    assert fresh.rates["click_rate"].value == pytest.approx(2 / 5)
    assert "events" not in fresh.counts


def test_without_a_default_there_is_nothing_to_compare_with() -> None:
    (alone,) = report({("wide", "all"): SUMS["wide", "all"]})
    assert alone.differences == {}


def test_json_has_null_for_what_is_not_known() -> None:
    (one,) = report({("default", "all"): users(1, lists=1, places=2)})
    told = one.as_json()
    assert told["click_rate"] == {"value": 0.0, "low": None, "high": None}
    assert told["hit_rate"] == {"value": None, "low": None, "high": None}
    assert math.isnan(one.rates["hit_rate"].value)


def test_the_table_marks_what_is_more_than_noise() -> None:
    written = io.StringIO()
    Console(file=written, width=140).print(_table("variants", [one for one in report(SUMS) if one.slice == "all"]))
    text = written.getvalue()
    assert "0.2500 ± " in text
    assert "Δ +0.1250 ± " in text
    assert text.count("*") == 1
