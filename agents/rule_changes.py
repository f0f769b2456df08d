"""The rules that the topic holds, and changes of them, for the commands."""

from collections.abc import Mapping

import msgspec

from agents.errors import BrokerError, RecordError
from agents.lookup import scan
from agents.partition import partition_of
from agents.records import Rule, encode_json, read_rule_record
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import build_topics

DELIVERY_TIMEOUT_S = 30.0


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
    topic = build_topics(settings).rules
    producer = plain_producer(settings)
    errors: list[str] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            errors.append(str(error))

    for key, rule in changes.items():
        value = None if rule is None else encode_json(rule)
        producer.produce(topic.name, value, key, partition_of(key, topic.partitions), on_delivery=delivered)
    left = producer.flush(DELIVERY_TIMEOUT_S)
    if left or errors:
        why = errors[0] if errors else "no answer in time"
        missing = left + len(errors)
        raise BrokerError(
            f"{missing} of {len(changes)} changes did not reach {topic.name}: {why}\n  Give the command again."
        )


def as_fields(rule: Rule) -> dict[str, object]:
    """The rule as `rules put` reads it: without its name and without what is not said."""
    fields: dict[str, object] = msgspec.to_builtins(rule)
    fields.pop("name")
    return fields
