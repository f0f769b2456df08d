"""Events and catalogues from files to Kafka, as a producer of an application would send them."""

import csv
import gzip
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from confluent_kafka import KafkaException, Message, Producer

from agents.errors import BrokerError, SetupError
from agents.partition import partitions_of
from agents.runtime.clients import plain_producer
from agents.runtime.refusal import no_answer
from agents.settings import Settings
from agents.topics import Topic, build_topics

NUMBERS = ("timestamp", "rating")
SENT_AT_ONCE = 2_000
BAD_LINES_KEPT = 20
DELIVERY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 8.0

Row = dict[str, Any]


@dataclass
class Rows:
    """Rows of a file; what cannot be read is counted, with its line."""

    path: Path
    bad: int = 0
    bad_lines: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Row]:
        """One dictionary for each good row, without empty fields. Raises `SetupError` if the file cannot be read."""
        name = self.path.name.removesuffix(".gz")
        try:
            if name.endswith(".parquet"):
                yield from _parquet_rows(self.path)
                return
            with _open(self.path) as lines:
                if name.endswith((".jsonl", ".ndjson", ".json")):
                    yield from self._json_rows(lines)
                elif name.endswith((".csv", ".tsv")):
                    yield from self._csv_rows(lines, "\t" if name.endswith(".tsv") else ",")
                else:
                    raise SetupError(f"{self.path}: name the format: .jsonl, .csv, .tsv or .parquet, also with .gz")
        except (OSError, ValueError, EOFError) as exc:  # what pyarrow raises is a ValueError
            raise SetupError(f"cannot read {self.path}: {exc}") from exc

    def _json_rows(self, lines: TextIO) -> Iterator[Row]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as exc:
                self._note(number, str(exc))
                continue
            if isinstance(row, dict):
                yield row
            else:
                self._note(number, "not a JSON object")

    def _csv_rows(self, lines: TextIO, delimiter: str) -> Iterator[Row]:
        reader = csv.DictReader(lines, delimiter=delimiter)
        for row in reader:
            if None in row or None in row.values():
                self._note(reader.line_num, "another number of columns than the head line")
                continue
            try:
                yield {name: float(value) if name in NUMBERS else value for name, value in row.items() if value != ""}
            except ValueError as exc:
                self._note(reader.line_num, str(exc))

    def _note(self, line: int, why: str) -> None:
        self.bad += 1
        if len(self.bad_lines) < BAD_LINES_KEPT:
            self.bad_lines.append(f"line {line}: {why}")


def _open(path: Path) -> TextIO:
    if path.name.endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8")
    return path.open(encoding="utf-8", newline="")


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise SetupError(f"{path}: Parquet needs pyarrow: pip install 'profilestream[parquet]'") from exc
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                yield {
                    name: value.timestamp() if hasattr(value, "timestamp") else value
                    for name, value in row.items()
                    if value is not None
                }


@dataclass
class Sent:
    """What became of the records so far."""

    records: int = 0
    delivered: int = 0
    errors: list[str] = field(default_factory=list)


class Sender:
    """Sends JSON records of one topic to the partitions that their keys belong to; success means delivered."""

    def __init__(
        self, settings: Settings, topic: Topic, key: str, on_delivered: Callable[[Message], None] | None = None
    ) -> None:
        self._topic, self._key, self._on_delivered = topic, key, on_delivered
        self._producer: Producer = plain_producer(
            settings,
            **{"linger.ms": 5, "queue.buffering.max.messages": 1_000_000, "delivery.timeout.ms": 60_000},
        )
        self.sent = Sent()
        try:
            self._producer.list_topics(topic.name, ANSWER_TIMEOUT_S)
        except KafkaException as exc:
            raise no_answer(settings, exc) from exc

    def send(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Send rows that belong together; returns before they are delivered."""
        batch = list(rows)
        keys = [str(row.get(self._key, "")).encode() for row in batch]
        for row, key, partition in zip(batch, keys, partitions_of(keys, self._topic.partitions).tolist(), strict=True):
            value = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
            while True:
                try:
                    self._producer.produce(self._topic.name, value, key, partition, on_delivery=self._delivered)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self.sent.records += len(batch)
        self._producer.poll(0)

    def wait(self) -> Sent:
        """Wait until all is delivered. Raises `BrokerError` if some is not."""
        left = self._producer.flush(DELIVERY_TIMEOUT_S)
        if left or self.sent.errors:
            why = self.sent.errors[0] if self.sent.errors else "no answer in time"
            missing = self.sent.records - self.sent.delivered
            raise BrokerError(f"{missing} of {self.sent.records} records did not reach {self._topic.name}: {why}")
        return self.sent

    def poll(self, seconds: float = 0.0) -> None:
        """Serve delivery reports."""
        self._producer.poll(seconds)

    def _delivered(self, error: object, message: Message) -> None:
        if error is not None:
            if len(self.sent.errors) < BAD_LINES_KEPT:
                self.sent.errors.append(str(error))
            return
        self.sent.delivered += 1
        if self._on_delivered is not None:
            self._on_delivered(message)


def send_catalogue(settings: Settings, items: Iterable[Mapping[str, Any]]) -> int:
    """Send catalogue entries; returns how many. Raises `BrokerError`."""
    sender = Sender(settings, build_topics(settings).items, "item_id")
    for batch in batches(items, SENT_AT_ONCE):
        sender.send(batch)
    return sender.wait().delivered


def send_events(settings: Settings, events: Iterable[Row], speed: float, on_sent: Callable[[int], object]) -> int:
    """Send events at `speed` times their own pace (0: as fast as it goes); returns how many were delivered.

    `on_sent(n)` is called for progress. Raises `BrokerError`.
    """
    sender = Sender(settings, build_topics(settings).events, "user_id")
    if speed <= 0:
        for batch in batches(events, SENT_AT_ONCE):
            sender.send(batch)
            on_sent(len(batch))
        return sender.wait().delivered
    began, first_s = time.monotonic(), None
    for event in events:
        at_s = float(event.get("timestamp", 0))
        first_s = at_s if first_s is None else first_s
        while (wait_s := began + (at_s - first_s) / speed - time.monotonic()) > 0:
            sender.poll(min(wait_s, 0.1))
        sender.send([event])
        on_sent(1)
    return sender.wait().delivered


def batches(rows: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    """Rows in lists of at most `size`."""
    batch: list[Mapping[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
