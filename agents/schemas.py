"""JSON Schemas of the public records and the AsyncAPI document, made from the record types."""

import json
from typing import Any

import msgspec

from agents.records import (
    NOTED_HEADER,
    PUBLIC_RECORDS,
    Event,
    Item,
    ModelVersion,
    Outcome,
    Recommendation,
    Request,
    Rule,
    User,
)
from agents.settings import Settings
from agents.topics import Topic, Topics, build_topics

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{name}"


def schema_files(settings: Settings) -> dict[str, str]:
    """File name → content of every schema file."""
    files = {f"{record.__name__.lower()}.schema.json": _text(_schema(record)) for record in PUBLIC_RECORDS}
    files["asyncapi.json"] = _text(_asyncapi(build_topics(settings)))
    return files


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _schema(record: type[msgspec.Struct]) -> dict[str, Any]:
    """A record and all that it contains, as one schema."""
    _, parts = msgspec.json.schema_components([record], ref_template=_REF)
    body = parts.pop(record.__name__)
    schema = {"$schema": SCHEMA_DIALECT, **body}
    if parts:
        schema["$defs"] = parts
    return schema


_KEYS = {Item: "item_id", ModelVersion: "name", Rule: "name"}
_HEADERS: dict[type[msgspec.Struct], dict[str, Any]] = {
    Recommendation: {
        "headers": {
            "type": "object",
            "properties": {
                NOTED_HEADER: {
                    "type": "string",
                    "description": "There if the profile has this list already.",
                }
            },
        }
    }
}
_SENT_BY_APPLICATIONS = (Event, Item, User, Request, Rule)


def _asyncapi(topics: Topics) -> dict[str, Any]:
    """What applications send and receive, as AsyncAPI 3."""
    channels: dict[str, tuple[Topic, type[msgspec.Struct]]] = {
        "events": (topics.events, Event),
        "items": (topics.items, Item),
        "users": (topics.users, User),
        "requests": (topics.requests, Request),
        "recommendations": (topics.recommendations, Recommendation),
        "outcomes": (topics.outcomes, Outcome),
        "models": (topics.models, ModelVersion),
        "rules": (topics.rules, Rule),
    }
    _, schemas = msgspec.json.schema_components(PUBLIC_RECORDS, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "profilestream",
            "version": "1.0.0",
            "description": "Topics for applications. `receive` is what profilestream reads, `send` what it writes.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": topic.name,
                "description": _summary(record),
                "messages": {record.__name__: {"$ref": f"#/components/messages/{record.__name__}"}},
                "bindings": {
                    "kafka": {
                        "topic": topic.name,
                        "partitions": topic.partitions,
                        "topicConfiguration": {"cleanup.policy": [topic.cleanup]},
                    }
                },
            }
            for name, (topic, record) in channels.items()
        },
        "operations": {
            f"{'receive' if record in _SENT_BY_APPLICATIONS else 'send'}{record.__name__}": {
                "action": "receive" if record in _SENT_BY_APPLICATIONS else "send",
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for name, (_, record) in channels.items()
        },
        "components": {
            "messages": {
                record.__name__: {
                    "payload": {"$ref": f"#/components/schemas/{record.__name__}"},
                    "bindings": {"kafka": {"key": {"type": "string", "description": _KEYS.get(record, "user_id")}}},
                    **_HEADERS.get(record, {}),
                }
                for _, record in channels.values()
            },
            "schemas": schemas,
        },
    }


def _summary(record: type[msgspec.Struct]) -> str:
    return (record.__doc__ or "").strip().splitlines()[0]
