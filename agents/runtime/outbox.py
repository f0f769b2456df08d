"""Records on their way into a transaction."""

from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from agents.errors import FencedError

MOST_HELD = 500
MOST_HELD_BYTES = 1024 * 1024
"""Of keys and values. A batch with more is a backlog: the broker takes its records while the work goes on."""
_FAULTS_OF_THE_CALLER = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}


class Outbox:
    """Sends records at once, or holds those of a small batch until its work, or a part of it, is done.

    When they leave together the broker is asked once for all partitions and gets one request for each. One by one they
    made two or three of it, and requests are what a small transaction costs: 5 to 8 ms of the broker's CPU.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._held: list[tuple[Any, ...]] | None = None
        self._room = 0
        """So many bytes more are held."""

    def hold(self) -> None:
        """Hold what comes, until `let_go`, or until it is too much."""
        self._held, self._room = [], MOST_HELD_BYTES

    def produce(self, topic: str, value: bytes | None, key: bytes | None, *options: Any) -> None:
        """Takes what `Producer.produce` takes by position; `options`: partition and so on.

        Raises `KafkaException` if the record is too long or has nowhere to go, `FencedError` if the transaction is
        lost; of a record that is held not before it leaves.
        """
        record = (topic, value, key, *options)
        if self._held is not None:
            self._room -= len(value or b"") + len(key or b"")
            if len(self._held) < MOST_HELD and self._room >= 0:
                self._held.append(record)
                return
            self.let_go()
        self._send(record)

    def let_go(self) -> None:
        """Send what is held, and what comes from now on at once. Raises as `produce`."""
        held, self._held = self._held or (), None
        for record in held:
            self._send(record)

    def pass_on(self) -> None:
        """Send what is held, and go on holding. Raises as `produce`."""
        if self._held is not None:
            self.let_go()
            self.hold()

    def _send(self, record: tuple[Any, ...]) -> None:
        while True:
            try:
                # By position (`callback` comes before its other name, `on_delivery`): with names the call takes twice
                # as long, and there is one for each record.
                self._producer.produce(*record)
                return
            except BufferError:  # the queue is full: wait until some of it is sent
                self._producer.poll(0.1)
            except KafkaException as exc:
                if exc.args[0].code() in _FAULTS_OF_THE_CALLER:
                    raise
                raise FencedError(f"the transaction is lost: {exc.args[0].str()}") from exc
