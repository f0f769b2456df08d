"""Records of a small batch leave together, in order; those of a large one at once."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from agents.errors import FencedError
from agents.runtime.outbox import MOST_HELD, MOST_HELD_BYTES, Outbox


class Broker:
    """What the outbox calls of a producer; `full` times its queue is full, and then `error` is raised, if any."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.full = self.polls = 0
        self.error: KafkaError | None = None

    def produce(self, _topic: str, value: bytes | None, *_: Any) -> None:
        if self.full:
            self.full -= 1
            raise BufferError
        if self.error is not None:
            raise KafkaException(self.error)
        self.values.append(value)

    def poll(self, _timeout_s: float) -> None:
        self.polls += 1


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def outbox(broker: Broker) -> Outbox:
    producer: Any = broker
    return Outbox(producer)


def test_records_leave_at_once_unless_they_are_held(broker: Broker, outbox: Outbox) -> None:
    outbox.produce("topic", b"1", None, 0)
    assert broker.values == [b"1"]
    outbox.hold()
    outbox.produce("topic", b"2", None, 0)
    outbox.produce("topic", None, None, 0)
    assert broker.values == [b"1"]
    outbox.let_go()
    outbox.produce("topic", b"3", None, 0)
    assert broker.values == [b"1", b"2", None, b"3"]


def test_what_is_passed_on_leaves_and_what_comes_then_is_held(broker: Broker, outbox: Outbox) -> None:
    outbox.hold()
    outbox.produce("topic", b"1", None, 0)
    outbox.pass_on()
    outbox.produce("topic", b"2", None, 0)
    assert broker.values == [b"1"]
    outbox.let_go()
    outbox.pass_on()  # where nothing is held any more, nothing is again
    outbox.produce("topic", b"3", None, 0)
    assert broker.values == [b"1", b"2", b"3"]


def test_many_records_are_not_held(broker: Broker, outbox: Outbox) -> None:
    outbox.hold()
    sent = [b"%d" % number for number in range(MOST_HELD + 2)]
    for number, value in enumerate(sent):
        assert len(broker.values) == (number if number > MOST_HELD else 0)
        outbox.produce("topic", value, None, 0)
    assert broker.values == sent


def test_many_bytes_are_not_held(broker: Broker, outbox: Outbox) -> None:
    outbox.hold()
    long = b"x" * (MOST_HELD_BYTES - 4)
    outbox.produce("topic", long, b"key", 0)
    outbox.produce("topic", b"1", None, 0)
    assert not broker.values
    outbox.produce("topic", None, b"2", 0)
    assert broker.values == [long, b"1", None]


def test_a_full_queue_is_waited_for(broker: Broker, outbox: Outbox) -> None:
    broker.full = 2
    outbox.produce("topic", b"1", None, 0)
    assert (broker.values, broker.polls) == ([b"1"], 2)


@pytest.mark.parametrize(
    ("code", "raised"), [(KafkaError.MSG_SIZE_TOO_LARGE, KafkaException), (KafkaError._FENCED, FencedError)]
)
def test_what_is_wrong_with_a_held_record_is_raised_when_it_leaves(
    broker: Broker, outbox: Outbox, code: int, raised: type[Exception]
) -> None:
    broker.error = KafkaError(code)
    outbox.hold()
    outbox.produce("topic", b"1", None, 0)
    with pytest.raises(raised):
        outbox.let_go()
