"""The rules that the topic holds, and changes of them, for the commands."""

from collections.abc import Mapping

import msgspec

from agents.errors import RecordError
from agents.lookup import scan
from agents.records import Rule, encode_json, read_rule_record
from agents.sending import send_changes
from agents.settings import Settings
from agents.topics import build_topics


def held_rules(settings: Settings) -> tuple[dict[str, Rule], dict[str, bytes]]:
    """What `sorted_out` makes of the topic. Raises `BrokerError`, `AccessError`."""
    topic = build_topics(settings).rules
    newest: dict[bytes, bytes | None] = {}
    for partition in range(topic.partitions):
        newest.update(scan(settings, topic, partition))
    return sorted_out(newest)


def sorted_out(newest: Mapping[bytes, bytes | None]) -> tuple[dict[str, Rule], dict[str, bytes]]:
    """The rules by name, and the keys of records that are no rules, by what people are shown of a key."""
    rules: dict[str, Rule] = {}
    bad: dict[str, bytes] = {}
    for key, value in sorted(newest.items()):
        if value is None:
            continue
        try:
            rules[key.decode()] = read_rule_record(value)
        except (RecordError, UnicodeDecodeError):
            bad[key.decode(errors="backslashreplace")] = key
    return rules, bad


def send_rules(settings: Settings, changes: Mapping[bytes, Rule | None]) -> None:
    """Put or (None) delete what is under these keys; all are delivered when it returns. Raises `BrokerError`."""
    values = {key: None if rule is None else encode_json(rule) for key, rule in changes.items()}
    send_changes(settings, build_topics(settings).rules, values)


def as_fields(rule: Rule) -> dict[str, object]:
    """The rule as `rules put` reads it: without its name and without what is not said."""
    fields: dict[str, object] = msgspec.to_builtins(rule)
    fields.pop("name")
    return fields
