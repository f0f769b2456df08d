"""Least privilege: each worker works with the rights of `profilestream acls` alone, and names one that it lacks."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from agents.access import KINDS, WORKERS, Grant, acl_script, grants_of
from agents.admin import check_topics, create_topics
from agents.errors import AccessError
from agents.partition import partition_of
from agents.records import Event, Item, Request, User, encode_json
from agents.runtime.clients import committed_consumer, plain_producer
from agents.runtime.following import changelog_consumer, log_bounds, split
from agents.settings import Settings, read_settings
from agents.topics import Topic, build_topics
from tests.broker.secured import PREFIX, Secured, run_script
from tests.broker.support import Cluster, cluster, environment, send, wait_until
from tests.broker.test_commands import run
from tests.broker.test_startup import run_worker

pytestmark = pytest.mark.broker

USERS, ITEMS = 20, 8
COMMANDS = (
    ["topics", "check"],
    ["request", "u3"],
    ["profile", "u3"],
    ["similar", "i3"],
    ["dead-letters", "retry", "--reason", "bad_field"],
    ["verify"],
    ["export", "u3"],
    ["forget", "u3"],
)


@pytest.fixture(scope="module")
def prefix(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Prefix of topics that an operator has made, with the rights of every kind of client and no others."""
    folder = tmp_path_factory.mktemp("access")
    made = f"access-{uuid.uuid4().hex[:8]}-"
    administrator = secured.settings(made, folder).model_copy(
        update={"bootstrap_servers": secured.broker.bootstrap, "security_protocol": "PLAINTEXT"}
    )
    run_script(acl_script(administrator, KINDS, PREFIX), folder)
    create_topics(secured.settings(made, folder, PREFIX + "operator"))
    return made


def of(secured: Secured, prefix: str, folder: Path, kind: str) -> Settings:
    return secured.settings(prefix, folder, PREFIX + kind)


def send_as(settings: Settings, topic: Topic, key: str, record: Any, partition: int | None = None) -> None:
    """Send one record as this user."""
    where = partition_of(key.encode(), topic.partitions) if partition is None else partition
    producer = plain_producer(settings)
    errors: list[object] = []
    producer.produce(
        topic.name, encode_json(record), key.encode(), where, on_delivery=lambda error, _: errors.append(error)
    )
    assert producer.flush(20) == 0
    assert errors == [None]


def start_worker(workers: Cluster, secured: Secured, prefix: str, folder: Path, kind: str) -> None:
    """A worker that logs in as its own user."""
    workers.start(kind, "1", restart=True, **environment(of(secured, prefix, folder, kind)))


def lists(consumer: Consumer) -> Iterator[bytes]:
    """Keys of lists that came."""
    for message in consumer.consume(100, 0.2):
        assert message.error() is None, message.error()
        yield message.key() or b""


@pytest.mark.slow
def test_every_client_works_with_its_rights_alone(secured: Secured, prefix: str, tmp_path: Path) -> None:
    def client(kind: str) -> Settings:
        return of(secured, prefix, tmp_path, kind)

    topics = build_topics(client("profiles"))
    items = [(f"i{n}".encode(), encode_json(Item(f"i{n}", f"Mug {n}"))) for n in range(ITEMS)]
    send(client("catalogue-writer"), topics.items, items)
    send_as(client("users-writer"), topics.users, "u1", User("u1", {"land": "fr"}))
    events = [Event(f"u{user}", "purchase", f"i{(user + step) % ITEMS}") for user in range(USERS) for step in range(4)]
    send(client("events-writer"), topics.events, [(event.user_id.encode(), encode_json(event)) for event in events])
    wrong = (partition_of(b"u1", topics.events.partitions) + 1) % topics.events.partitions
    send_as(client("events-writer"), topics.events, "u1", Event("u1", "view", "i7"), wrong)
    with cluster(client("profiles"), tmp_path) as workers:
        for kind in WORKERS:
            start_worker(workers, secured, prefix, tmp_path, kind)
        reader = committed_consumer(client("recommendations-reader"), f"{PREFIX}recommendations-reader-page")
        reader.subscribe([topics.recommendations.name])
        seen: set[bytes] = set()

        def all_seen(wanted: set[bytes]) -> bool:
            seen.update(lists(reader))
            return seen >= wanted

        try:
            users = {f"u{user}".encode() for user in range(USERS)}
            workers.wait_until(lambda: all_seen(users), "a list of every user")
            send_as(client("requester"), topics.requests, "asker", Request("asker"))
            workers.wait_until(lambda: all_seen({b"asker"}), "the list that was asked for")
        finally:
            reader.close()
        send_as(client("events-writer"), topics.events, "u3", {"user_id": "u3", "event_type": "stare"})
        show = ("dead-letters", "show", "--reason", "bad_field")
        workers.wait_until(lambda: run(client("operator"), *show).returncode == 0, "the dead letter")
        for command in COMMANDS:
            ended = run(client("operator"), *command)
            assert ended.returncode == 0, f"{command}: {ended.stderr}"
        # With another disk each restores from its changelog, and goes on.
        for worker in workers.workers:
            worker.stop()
        again = tmp_path / "again"
        before = {kind: len(workers.workers[place].text()) for place, kind in enumerate(WORKERS)}
        workers.workers.clear()
        for kind in WORKERS:
            start_worker(workers, secured, prefix, again, kind)
        workers.wait_until(
            lambda: all("works" in workers.workers[place].text()[before[kind] :] for place, kind in enumerate(WORKERS)),
            "the restored workers",
        )
        logs = "".join(worker.text() for worker in workers.workers)
        assert "authorization failed" not in logs.lower()


def refused_to(settings: Settings, group: str, topic: str) -> int:
    """The error that a consumer of this user gets."""
    consumer = committed_consumer(settings, group)
    codes: list[int] = []

    def refused() -> bool:
        message = consumer.poll(0.2)
        assert message is None or message.error() is not None, "it could read a record"
        error = message.error() if message is not None else None
        if error is not None:
            codes.append(error.code())
        return bool(codes)

    consumer.subscribe([topic])
    try:
        wait_until(refused, "the refusal")
    finally:
        consumer.close()
    return codes[0]


def test_a_strangers_consumer_is_refused(secured: Secured, prefix: str, tmp_path: Path) -> None:
    stranger = secured.settings(prefix, tmp_path, "stranger")
    topics = build_topics(stranger)
    assert refused_to(stranger, "any", topics.recommendations.name) in {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
    reader = of(secured, prefix, tmp_path, "recommendations-reader")
    assert refused_to(reader, "another-group", topics.recommendations.name) == KafkaError.GROUP_AUTHORIZATION_FAILED
    mine = f"{PREFIX}recommendations-reader"
    assert refused_to(reader, mine, topics.events.name) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_strangers_commands_say_what_is_missing(secured: Secured, prefix: str, tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=rf"user stranger has no right to: .*Describe on topic {prefix}events"):
        check_topics(secured.settings(prefix, tmp_path, "stranger"))
    with pytest.raises(AccessError, match=r"Create on topic"):
        create_topics(secured.settings("elsewhere-", tmp_path, "stranger"))


def single_rights(kind: str) -> list[tuple[str, Grant]]:
    """(`Operation on resource name`, grant of it alone) of everything a worker may do, names without a prefix."""
    found = []
    for grant in grants_of(read_settings(), kind):
        for operation in grant.operations:
            one = Grant(grant.resource, grant.name, (operation,), grant.prefixed)
            found.append((f"{operation} on {grant.resource} {grant.name}", one))
    return found


def with_prefix(prefix: str, grant: Grant) -> Grant:
    return Grant(grant.resource, prefix + grant.name, grant.operations, grant.prefixed)


@pytest.mark.parametrize("kind", WORKERS)
def test_every_right_on_topics_that_is_missing_is_named(
    kind: str, secured: Secured, prefix: str, tmp_path: Path
) -> None:
    settings = of(secured, prefix, tmp_path, kind)
    rights = [(text, grant) for text, grant in single_rights(kind) if grant.resource == "topic"]
    topics = sorted({prefix + grant.name for _, grant in rights})
    check_topics(settings, topics, kind)
    assert len(rights) >= 7
    for text, grant in rights:
        named = f"{text.rsplit(' ', 1)[0]} {prefix}{grant.name}"
        with secured.without(PREFIX + kind, with_prefix(prefix, grant)):
            with pytest.raises(AccessError) as caught:
                check_topics(settings, topics, kind)
            assert named in str(caught.value)


OTHERS = [
    (kind, text)
    for kind in WORKERS
    for text, grant in single_rights(kind)
    if grant.resource != "topic"
    and not grant.name.endswith("-standby")  # a worker can do without standby stores
    # The learner's first look at `models` may be over before the broker refuses the group.
    and (kind, grant.name) != ("learner", "view")
]


def test_a_standby_store_can_follow(secured: Secured, prefix: str, tmp_path: Path) -> None:
    settings = of(secured, prefix, tmp_path, "profiles")
    changelog = build_topics(settings).profiles_changelog.name
    assert log_bounds(settings, f"{prefix}profiles-standby", changelog, [0])[0][0] == 0
    consumer = changelog_consumer(settings, f"{prefix}profiles-standby", 1_024)
    consumer.assign([TopicPartition(changelog, 0, 0)])
    ended: list[int] = []

    def at_the_end() -> bool:
        ended.extend(split(consumer.consume(1_000, 0.2))[1])
        return bool(ended)

    try:
        wait_until(at_the_end, "the end of the changelog")
    finally:
        consumer.close()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "text"), [*OTHERS, ("scorer", "Write on topic recommendations")])
def test_a_worker_without_one_right_ends_and_names_it(
    kind: str, text: str, secured: Secured, prefix: str, tmp_path: Path
) -> None:
    grant = dict(single_rights(kind))[text]
    with secured.without(PREFIX + kind, with_prefix(prefix, grant)):
        code, said = run_worker(kind, environment(of(secured, prefix, tmp_path, kind)))
    assert code == 2, said
    operation, resource, name = text.split(" on ")[0], grant.resource, prefix + grant.name
    assert f"{operation} on {resource} {name}" in said
    assert "profilestream acls" in said
    assert "Traceback" not in said
