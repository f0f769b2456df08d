"""Neither logs, at their most talkative, nor metrics name a user, whatever the records are like."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from agents.admin import create_topics
from agents.packed import CANDIDATES
from agents.records import Choice, Outcome, encode_json
from agents.topics import build_topics
from tests.agents.scorer_support import make_candidates
from tests.broker.support import broker_settings, cluster, drained, send
from tests.broker.test_bad_input import BAD
from tests.conftest import free_port

MARKER = "marked-user-4711"
KEY = MARKER.encode()


def of_marked(value: bytes | None) -> bytes | None:
    """A bad record's value with the marked user in place of its own."""
    return None if value is None else value.replace(b'"user_id": "u"', b'"user_id": "%s"' % KEY)


def page_of(port: int, page: str) -> str:
    """What a worker answers, whatever its status: it may not be ready for a moment."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as answer:
        return answer.read().decode()


@pytest.mark.broker
def test_neither_logs_nor_metrics_name_a_user(kafka: str, unique: str, tmp_path: Path) -> None:
    settings = broker_settings(kafka, unique, tmp_path / "data", log_level="debug", gather_s=0.1)
    create_topics(settings)
    topics = build_topics(settings)
    good = [
        {"user_id": MARKER, "item_id": f"i{n}", "event_type": kind, "event_id": f"e{n % 3}", "query": MARKER}
        for n, kind in enumerate(["view", "purchase", "search", "dislike", "like", "cart"])
    ]
    events: list[tuple[bytes | None, bytes | None]] = [(KEY, json.dumps(event).encode()) for event in good]
    events += [(KEY if key == b"u" else key, of_marked(value)) for key, value, _ in BAD.values()]
    events += [(KEY, b'{"user_id": "%s", "event_type": "%s"}' % (KEY, KEY)), (KEY + b"\x00", b"{}")]
    declared = {"user_id": MARKER, "attributes": {"name": MARKER}, "interests": [MARKER]}
    users = [json.dumps(declared).encode(), None, json.dumps({**declared, "consent": MARKER}).encode()]
    asked = [{"user_id": MARKER}, {"user_id": MARKER, "k": MARKER}, {"user_id": MARKER, "deadline_ms": 1}]
    candidates = make_candidates(MARKER, "one", {"i1": {"popular": 1.0}})
    send(settings, topics.items, [(b"i1", b'{"item_id": "i1"}'), (KEY, b'{"item_id": "i2"}')])
    send(settings, topics.events, events)
    send(settings, topics.users, [(KEY, value) for value in users])
    send(settings, topics.requests, [(KEY, json.dumps(request).encode()) for request in asked])
    send(settings, topics.recommendations, [(KEY, b"{}"), (KEY, b'{"user_id": "%s"}' % KEY)])
    send(settings, topics.candidates, [(KEY, CANDIDATES.write(candidates)), (KEY, b"\x01" + KEY)])
    send(settings, topics.cooccurrence, [(None, b"\x01" + KEY)])
    choice = Choice([0, 1], {"popular": [1.0, 0.5]})
    clicked = Outcome(MARKER, MARKER, "clicked", 1.0, MARKER, 0, "click", choice=choice)
    send(settings, topics.outcomes, [(KEY, b'{"user_id": "%s"}' % KEY), (KEY, KEY), (KEY, encode_json(clicked))])
    ports = {kind: free_port() for kind in ("profiles", "similarity", "scorer", "evaluation", "learner")}
    sources = [
        *(("profiles", source) for source in (topics.events, topics.users, topics.requests)),
        ("scorer", topics.candidates),
        ("profiles", topics.recommendations),
        ("similarity", topics.cooccurrence),
        *(("evaluation", source) for source in (topics.events, topics.users, topics.recommendations, topics.outcomes)),
        ("learner", topics.outcomes),
    ]
    pages = {}
    with cluster(settings, tmp_path) as workers:
        started = {kind: workers.start(kind, PROFILESTREAM_HTTP_PORT=str(port)) for kind, port in ports.items()}
        for kind, topic in sources:
            workers.wait_until(lambda k=kind, t=topic: drained(settings, k, t), f"the end of {topic.name}")  # type: ignore[misc]
        for kind, port in ports.items():
            for page in ("metrics", "ready", "live"):
                pages[kind, page] = page_of(port, page)
        for worker in started.values():
            worker.stop()
        logs = {kind: worker.text() for kind, worker in started.items()}
    for name, text in [*pages.items(), *logs.items()]:
        assert MARKER not in text, f"{name}: {text[max(0, text.index(MARKER) - 300) :][:600]}"
    assert all(
        " INFO aiokafka" in logs[kind] for kind in ("profiles", "similarity", "evaluation")
    )  # the engine was talkative
    of_profiles = pages["profiles", "metrics"]
    for reason in ("bad_json", "bad_field", "too_large", "missing_key", "wrong_key", "bad_id", "null_value"):
        label = f'profilestream_dead_letters_total{{reason="{reason}",topic="{topics.events.name}"}}'
        assert label in of_profiles
    assert (
        f'profilestream_dead_letters_total{{reason="bad_packed",topic="{topics.candidates.name}"}}'
        in (pages["scorer", "metrics"])
    )
    assert "profilestream_choices_learned_total 1.0" in pages["learner", "metrics"]
