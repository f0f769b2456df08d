"""All that is held about a user: the profile, and the user's records that topics still keep."""

import base64
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from agents.erasures import erasure_key
from agents.lookup import newest, read_all
from agents.packed import ERASURE, LIVE_USER, PROFILE
from agents.partition import partition_of
from agents.runtime.reading import ReadRecord
from agents.settings import Settings
from agents.topics import Topic, build_topics
from models.profile import Profile, unpack_contact

Fields = dict[str, Any]


def export(settings: Settings, user: str, on_topic: Callable[[str], object], *, records: bool) -> Fields:
    """What is held about a user, for JSON; with `records` also what topics keep. Raises `BrokerError`.

    `on_topic(name)` is called for progress.
    """
    topics, key = build_topics(settings), user.encode()
    on_topic(topics.profiles_changelog.name)
    row = newest(settings, topics.profiles_changelog, key)
    erasure = newest(settings, topics.profiles_changelog, erasure_key(key), partition_of(key, topics.users.partitions))
    on_topic(topics.live_changelog.name)
    live = newest(settings, topics.live_changelog, key)
    exported: Fields = {
        "user_id": user,
        "exported_at": time.time(),
        "erased_at": None if erasure is None else ERASURE.read(erasure).at_ms / 1000,
        "profile": None if row is None else profile_fields(PROFILE.read(row)),
        "live_evaluation": None if live is None else msgspec.to_builtins(_by_name(LIVE_USER.read(live))),
    }
    if records:
        sources = (topics.events, topics.users, topics.requests, topics.recommendations, topics.outcomes)
        exported["records"] = {}
        for topic in sources:
            on_topic(topic.name)
            exported["records"][topic.name] = [_record_fields(record) for record in _of(settings, topic, key)]
    return exported


def _of(settings: Settings, topic: Topic, key: bytes) -> Iterator[ReadRecord]:
    """A user's records. All partitions are read: an event that came into a wrong one stays there, too."""
    return (record for record in read_all(settings, topic) if record.key == key)


def _record_fields(record: ReadRecord) -> Fields:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp / 1000,
        **_value(record.value),
    }


def _value(value: bytes | None) -> Fields:
    """A record's value as JSON, as text if it is none, in base64 if it is not even text."""
    if value is None:
        return {"value": None}
    try:
        return {"value": msgspec.json.decode(value)}
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return {"value_text": value.decode()}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value).decode()}


def profile_fields(profile: Profile) -> Fields:
    """A profile for people: contacts as a list with times and strengths, oldest first; the rest by name.

    Of a list in flight each item's features by their names.
    """
    told = [name for name in profile.__struct_fields__ if name not in {"contacts", "lists", "early"}]
    fields = {name: msgspec.to_builtins(getattr(profile, name)) for name in told}
    history = []
    for item, contact in profile.contacts.items():
        last_s, strength, rated = unpack_contact(contact)
        history.append({"item_id": item, "last_at": last_s, "strength": strength, "rated": rated})
    fields["lists"] = [
        {**_by_name(flight), "features": flight.features.of(range(len(flight.items)))} for flight in profile.lists
    ]
    fields["early"] = [_by_name(action) for action in profile.early]
    return {"history": history, **fields}


def _by_name(record: msgspec.Struct) -> Fields:
    return {name: getattr(record, name) for name in record.__struct_fields__}
