"""Topics on the broker: make them, and check that they are as the settings want them."""

from collections.abc import Container, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from agents.access import DESCRIBE, WORKERS, grants_of
from agents.errors import SetupError
from agents.runtime.clients import admin_client
from agents.runtime.refusal import lacks_right, missing_rights, no_answer, no_right
from agents.settings import Settings
from agents.topics import Topic, build_topics

TIMEOUT_S = 8.0
SAFE_REPLICAS = 3
"""From so many replicas on, two must have a record before it counts as written."""


def _known_partitions(settings: Settings, admin: AdminClient) -> dict[str, int]:
    """Topic → partitions, of all topics that this client may see. Raises `BrokerError`, `AccessError`."""
    try:
        found = admin.list_topics(timeout=TIMEOUT_S).topics
    except KafkaException as exc:
        raise no_answer(settings, exc) from exc
    return {name: len(topic.partitions) for name, topic in found.items()}


def create_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing; returns their names. Raises `BrokerError`, `SetupError` if one is refused."""
    admin = admin_client(settings)
    known = _known_partitions(settings, admin)
    missing = [topic for topic in build_topics(settings).all() if topic.name not in known]
    if not missing:
        return []
    futures = admin.create_topics(
        [
            NewTopic(topic.name, topic.partitions, settings.replication_factor, config=_config(settings, topic))
            for topic in missing
        ],
        operation_timeout=TIMEOUT_S,
    )
    made = []
    for name, future in futures.items():
        try:
            future.result()
            made.append(name)
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            hint = ""
            if exc.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR:
                hint = "\n  Set PROFILESTREAM_REPLICATION_FACTOR to at most the number of brokers."
            if lacks_right(exc.args[0]):
                raise no_right(settings, f"Create on topic {name}") from exc
            raise SetupError(f"the broker refused topic {name}: {exc.args[0].str()}{hint}") from exc
    return made


def _config(settings: Settings, topic: Topic) -> dict[str, str]:
    config = topic.config()
    if settings.replication_factor >= SAFE_REPLICAS:
        config["min.insync.replicas"] = "2"
    return config


def check_topics(settings: Settings, names: Sequence[str] | None = None, worker: str = "") -> None:
    """Check that topics exist with the partitions and the clean-up that the settings want.

    Raises `SetupError` naming every fault and its remedy, `AccessError` naming every right on topics that is missing to
    this client (to see them, or what this kind of worker needs), `BrokerError` if the broker is away. The embedded
    broker makes topics when they are first asked for, and has its own number of partitions.
    """
    admin = admin_client(settings)
    topics = [topic for topic in build_topics(settings).all() if names is None or topic.name in names]
    if settings.embedded:
        for topic in topics:
            admin.list_topics(topic.name, timeout=TIMEOUT_S)
    known = _known_partitions(settings, admin)
    needed = {} if settings.embedded else _needed_rights(settings, topics, known, worker)
    if needed and (missing := missing_rights(admin, needed)):
        raise no_right(settings, ", ".join(missing))
    faults = [fault for topic in topics if (fault := _fault(settings, topic, known.get(topic.name)))]
    if not faults and not settings.embedded:
        faults = _cleanup_faults(admin, topics)
    if faults:
        raise SetupError("the topics are not as they should be\n  " + "\n  ".join(faults))


def _needed_rights(
    settings: Settings, topics: Sequence[Topic], known: Container[str], worker: str
) -> dict[str, Sequence[str]]:
    """Topic → operations to ask the broker about: all of a worker that logs in; else to see what seems not to exist."""
    if settings.security_protocol != "PLAINTEXT" and worker in WORKERS:
        return {one.name: one.operations for one in grants_of(settings, worker) if one.resource == "topic"}
    return {topic.name: (DESCRIBE,) for topic in topics if topic.name not in known}


def _fault(settings: Settings, topic: Topic, partitions: int | None) -> str | None:
    if partitions is None:
        return f"topic {topic.name} is missing: profilestream topics create"
    if partitions != topic.partitions:
        topics = build_topics(settings)
        of_items = topic.partitions == settings.item_partitions and topic.name in {
            topics.items.name,
            topics.cooccurrence.name,
            topics.neighbours.name,
            topics.item_rows_changelog.name,
        }
        setting = "PROFILESTREAM_ITEM_PARTITIONS" if of_items else "PROFILESTREAM_USER_PARTITIONS"
        return (
            f"topic {topic.name} has {partitions} partitions, not {topic.partitions}: set {setting}={partitions}, "
            "or delete the topic and create it again (the number cannot change while it holds records)"
        )
    return None


def _cleanup_faults(admin: AdminClient, topics: Sequence[Topic]) -> list[str]:
    """A compacted topic that is not compacted fills the disk; one that is compacted by mistake loses records."""
    futures = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics])
    found = {}
    for resource, future in futures.items():
        try:
            found[resource.name] = future.result(TIMEOUT_S)["cleanup.policy"].value
        except KafkaException:
            return []  # not allowed to read the configuration: not a reason to stop
    return [
        f"topic {topic.name} has cleanup.policy={found[topic.name]}, not {topic.cleanup}: "
        f"kafka-configs --alter --topic {topic.name} --add-config cleanup.policy={topic.cleanup}"
        for topic in topics
        if found[topic.name] != topic.cleanup
    ]
