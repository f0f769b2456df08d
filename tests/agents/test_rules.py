"""Records and files of rules: what is taken, and what is said of what is not."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.errors import RecordError, SetupError
from agents.records import Rule, encode_json
from agents.rule_changes import as_fields
from agents.rules import read_file, read_rule
from models.rules.rule import ShopRule

GOOD: dict[str, dict[str, Any]] = {
    "spring": {"kind": "boost", "categories": ["garden"], "factor": 1.5, "added_within_days": 30},
    "lead": {"kind": "pin", "items": ["a", "b", "a"], "position": 2, "from": 5, "until": 9.5},
    "away": {"kind": "block", "tags": ["gone"], "items": ["c"]},
    "milk": {"kind": "repeat", "categories": ["food"], "days": 7},
    "mix": {"kind": "cap", "categories": ["food"], "most": 3},
}


def read(name: str, fields: dict[str, Any]) -> ShopRule:
    return read_rule(name.encode(), json.dumps({"name": name, **fields}).encode())


def test_good_rules_mean_what_they_say() -> None:
    held = {name: read(name, fields) for name, fields in GOOD.items()}
    assert held["spring"] == ShopRule("spring", "boost", (), ("garden",), (), 30 * 86_400, 1.5, after_s=0.0)
    assert held["lead"] == ShopRule("lead", "pin", ("a", "b"), position=2, after_s=0.0, from_s=5.0, until_s=9.5)
    assert held["away"] == ShopRule("away", "block", ("c",), (), ("gone",), after_s=0.0)
    assert held["milk"] == ShopRule("milk", "repeat", (), ("food",), after_s=7 * 86_400)
    assert held["mix"] == ShopRule("mix", "cap", (), ("food",), after_s=0.0, most=3)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "boost", "items": ["a"]}, "missing_field: a rule of kind boost needs factor"),
        ({"kind": "boost", "factor": 2}, "needs items, categories, tags or added_within_days: it selects no item"),
        ({"kind": "boost", "factor": 0, "items": ["a"]}, "bad_field: .*factor"),
        ({"kind": "pin", "position": 0, "categories": ["c"]}, "a rule of kind pin selects by items, not by categories"),
        ({"kind": "pin", "position": 100, "items": ["a"]}, "bad_field: .*position"),
        ({"kind": "block"}, "needs items, categories or tags"),
        ({"kind": "block", "items": ["a"], "factor": 2}, "factor is for rules of kind boost: a block has none"),
        ({"kind": "repeat"}, "a rule of kind repeat needs days"),
        ({"kind": "cap", "categories": ["c"], "most": 0}, "bad_field: .*most"),
        ({"kind": "block", "items": ["a"], "from": 9, "until": 9}, "until is not after from"),
        ({"kind": "hide", "items": ["a"]}, "bad_field: .*hide"),
        ({"kind": "block", "items": "a"}, "bad_field: .*array"),
    ],
)
def test_a_bad_rule_says_how_to_mend_it(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RecordError, match=said):
        read("r", fields)


def test_the_key_is_the_name() -> None:
    with pytest.raises(RecordError, match=r"wrong_key: .*send the rule's name as the key"):
        read_rule(b"other", json.dumps({"name": "mix", **GOOD["mix"]}).encode())
    with pytest.raises(RecordError, match="bad_id"):
        read("a\nb", GOOD["mix"])


def test_what_a_file_says_is_what_is_sent_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(GOOD))
    rules = read_file(path)
    for name, rule in rules.items():
        assert read_rule(name.encode(), encode_json(rule)) == read(name, GOOD[name])
    path.write_text(json.dumps({name: as_fields(rule) for name, rule in rules.items()}))
    assert read_file(path) == rules


def test_a_toml_file_may_say_times_as_dates(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        '[sale]\nkind = "boost"\ntags = ["sale"]\nfactor = 2\nfrom = 2026-11-27T00:00:00Z\nuntil = 1795824000\n'
    )
    assert read_file(path)["sale"].from_time == 1_795_737_600
    assert read_file(path)["sale"].until == 1_795_824_000
    path.write_text('[sale]\nkind = "boost"\ntags = ["sale"]\nfactor = 2\nfrom = 2026-11-27T00:00:00\n')
    with pytest.raises(SetupError, match="from has no time zone: write 2026-11-27T00:00:00Z for UTC"):
        read_file(path)


def test_a_file_with_faults_names_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    bad = {"a": {"kind": "block", "categorys": ["x"]}, "b": {"kind": "cap", "most": "3"}, "good": GOOD["mix"]}
    path.write_text(json.dumps(bad))
    with pytest.raises(SetupError) as caught:
        read_file(path)
    assert "a: there is no categorys; is categories meant?" in str(caught.value)
    assert "b: " in str(caught.value)
    assert "good" not in str(caught.value)


@pytest.mark.parametrize("text", ["[1]", '{"a": 1}', "{", ""])
def test_what_is_no_file_of_rules_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(SetupError, match="rules"):
        read_file(path)
    with pytest.raises(SetupError, match="cannot read rules"):
        read_file(tmp_path / "missing.toml")


def test_every_field_but_the_name_may_be_left_out_or_said() -> None:
    assert msgspec.json.decode(encode_json(Rule("r", "block", ["a"]))) == {"name": "r", "kind": "block", "items": ["a"]}
