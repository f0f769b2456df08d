"""Records of the topic `rules`: checked, as the rules that `models.rules` works with; and files of rules."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from agents.errors import RecordError, SetupError
from agents.records import Rule, check_id, read_rule_record
from models.rules.rule import ShopRule

DAY_S = 86_400.0
_NEEDED = {"boost": "factor", "pin": "position", "repeat": "days", "cap": "most"}
"""The field that a kind needs, and that no other kind may have."""
_SELECTORS = ("items", "categories", "tags", "added_within_days")
_MAY_SELECT_BY = {
    "boost": _SELECTORS,
    "pin": ("items",),
    "block": ("items", "categories", "tags"),
    "repeat": ("items", "categories", "tags"),
    "cap": ("items", "categories", "tags"),
}


def read_rule(key: bytes, value: bytes) -> ShopRule:
    """A record of `rules`. Raises `RecordError`, also `wrong_key` if its key is not its name."""
    rule = read_rule_record(value)
    if rule.name.encode() != key:
        raise RecordError("wrong_key", "the record's key differs from name: send the rule's name as the key")
    check_rule(rule)
    return to_shop_rule(rule)


def named(changes: Iterable[tuple[bytes, ShopRule | None]]) -> Iterator[tuple[str, ShopRule | None]]:
    """Changes of the topic by the names of rules."""
    return ((key.decode(errors="replace"), rule) for key, rule in changes)


def check_rule(rule: Rule) -> None:
    """Raise `RecordError` (`bad_field`, `missing_field`, `bad_id`) that says how to mend a rule."""
    check_id(rule.name, "name")
    for kind, field in _NEEDED.items():
        if kind == rule.kind and getattr(rule, field) is None:
            raise RecordError("missing_field", f"a rule of kind {kind} needs {field}")
        if kind != rule.kind and getattr(rule, field) is not None:
            raise RecordError("bad_field", f"{field} is for rules of kind {kind}: a {rule.kind} has none")
    may = _MAY_SELECT_BY[rule.kind]
    for selector in _SELECTORS:
        if getattr(rule, selector) and selector not in may:
            raise RecordError("bad_field", f"a rule of kind {rule.kind} selects by {_either(may)}, not by {selector}")
    if rule.kind != "repeat" and not any(getattr(rule, selector) for selector in may):
        raise RecordError("missing_field", f"a rule of kind {rule.kind} needs {_either(may)}: it selects no item")
    if rule.until is not None and rule.until <= (rule.from_time or 0.0):
        raise RecordError("bad_field", "until is not after from: the rule would never hold")


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def to_shop_rule(rule: Rule) -> ShopRule:
    """A checked record as what it means."""
    return ShopRule(
        name=rule.name,
        kind=rule.kind,
        items=tuple(dict.fromkeys(rule.items)),
        categories=tuple(rule.categories),
        tags=tuple(rule.tags),
        added_within_s=None if rule.added_within_days is None else rule.added_within_days * DAY_S,
        factor=rule.factor or 1.0,
        position=rule.position or 0,
        after_s=(rule.days or 0.0) * DAY_S,
        most=rule.most or 0,
        from_s=rule.from_time or 0.0,
        until_s=float("inf") if rule.until is None else rule.until,
    )


def read_file(path: Path) -> dict[str, Rule]:
    """The rules of a TOML or JSON file, one table for each name. Raises `SetupError` that names every fault."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as exc:
        raise SetupError(f"cannot read rules from {path}: {exc}") from exc
    if not isinstance(content, dict) or not all(isinstance(one, dict) for one in content.values()):
        raise SetupError(f'{path}: write one table for each rule, such as {{"spring": {{"kind": "boost", …}}}}')
    rules, faults = {}, []
    for name, fields in content.items():
        try:
            rules[name] = _from_file(name, fields)
        except (RecordError, msgspec.ValidationError) as exc:
            faults.append(f"{name}: {exc.detail if isinstance(exc, RecordError) else exc}")
    if faults:
        raise SetupError("\n  ".join([f"{path}: nothing was sent, for there are bad rules", *faults]))
    return rules


def _from_file(name: str, fields: Mapping[str, Any]) -> Rule:
    known = [field.encode_name for field in msgspec.structs.fields(Rule)]
    for field in fields:
        if field not in known:
            near = get_close_matches(field, known, 1)
            raise RecordError("bad_field", f"there is no {field}" + (f"; is {near[0]} meant?" if near else ""))
    timed = {field: _seconds(field, value) for field, value in fields.items()}
    rule = msgspec.convert({"name": name, **timed}, Rule)
    if rule.name != name:
        raise RecordError("bad_field", f"its name says {rule.name}: leave name out, the table's name counts")
    check_rule(rule)
    return rule


def _seconds(field: str, value: object) -> object:
    """A time of a TOML file as Unix seconds; other values as they are."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise RecordError("bad_field", f"{field} has no time zone: write {value.isoformat()}Z for UTC")
    return value.timestamp()
