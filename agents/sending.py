"""Records that a command sends, and waits for."""

from collections.abc import Mapping

from agents.errors import BrokerError
from agents.partition import partition_of
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import Topic

DELIVERY_TIMEOUT_S = 30.0


def send_changes(settings: Settings, topic: Topic, changes: Mapping[bytes, bytes | None]) -> None:
    """Put or (None) delete what is under these keys; all are delivered when it returns. Raises `BrokerError`."""
    producer = plain_producer(settings)
    errors: list[str] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            errors.append(str(error))

    for key, value in changes.items():
        producer.produce(topic.name, value, key, partition_of(key, topic.partitions), on_delivery=delivered)
    left = producer.flush(DELIVERY_TIMEOUT_S)
    if left or errors:
        why = errors[0] if errors else "no answer in time"
        missing = left + len(errors)
        raise BrokerError(
            f"{missing} of {len(changes)} changes did not reach {topic.name}: {why}\n  Give the command again."
        )
