"""The dead-letter topic as operators work with it: read letters, send their records again, or drop them.

A letter is settled by a mark: a record without key and value in the same partition, whose headers name the letter and
what became of it. Mark and retried record are one transaction, and all commands share one transactional id: a later
command fences an earlier one and then sees all that it committed, so that no letter is retried twice.
"""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from confluent_kafka import KafkaException, Producer

from agents.errors import BrokerError, FencedError
from agents.lookup import ends_of, read_whole
from agents.runtime.clients import transactional_producer
from agents.runtime.dead_letters import ORIGINAL
from agents.runtime.reading import ReadRecord
from agents.runtime.refusal import refused
from agents.runtime.transaction import FORWARDED_HEADER
from agents.settings import Settings
from agents.topics import app_id, build_topics

SETTLED, HOW, SETTLED_AT = "settled", "how", "settled_at_ms"
AT_ONCE = 500
BYTES_AT_ONCE = 8_000_000
"""Letters settled in one transaction: so many, or so many bytes."""
TIMEOUT_S = 25.0
MOST_DIGITS = 18
"""Of a number in a header; Kafka's own fit 64 bits, and Python refuses to read very long ones."""

How = Literal["retried", "dropped"]


@dataclass(frozen=True)
class Letter:
    """One bad record, as the dead-letter topic holds it."""

    record: ReadRecord
    headers: Mapping[str, str]
    """What our workers say of it."""
    original_headers: Sequence[tuple[str, bytes | None]]
    settled: str = ""
    """How it was settled; empty: it is not."""

    @property
    def name(self) -> str:
        """`<partition>-<offset>` in the dead-letter topic."""
        return f"{self.record.partition}-{self.record.offset}"

    @property
    def topic(self) -> str:
        """The topic that the bad record came from."""
        return self.headers.get("topic", "")

    @property
    def reason(self) -> str:
        """Why it is bad, in one word."""
        return self.headers.get("reason", "unknown")

    def number(self, name: str) -> int:
        """A header that holds a number, −1 if it does not."""
        text = self.headers.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else -1


@dataclass(frozen=True)
class Choice:
    """Which letters are meant: all that fit every part that is not empty."""

    names: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    prefix: str = ""
    """Topics may be named without it."""

    def __call__(self, letter: Letter) -> bool:
        topics = {letter.topic, letter.topic.removeprefix(self.prefix)}
        return (
            (not self.names or letter.name in self.names)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or bool(self.topics & topics))
        )


@dataclass
class Settled:
    """What a command did."""

    done: int = 0
    before: int = 0
    """Letters that were settled before."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Letters that cannot be retried, and why."""
    unknown: list[str] = field(default_factory=list)
    """Names of letters that are not there."""


def newest_letters(
    settings: Settings, choice: Choice, most: int, *, settled_too: bool
) -> tuple[list[Letter], Counter[str]]:
    """The `most` newest of the chosen letters, newest first, and how many there are by reason. Raises `BrokerError`."""
    counts: Counter[str] = Counter()

    def chosen() -> Iterator[Letter]:
        for letter in _letters(settings, _ends(settings)):
            if choice(letter) and (settled_too or not letter.settled):
                counts[letter.reason] += 1
                yield letter

    newest = heapq.nlargest(most, chosen(), key=lambda letter: (letter.record.timestamp, letter.record.offset))
    return newest, counts


def settle(settings: Settings, choice: Choice, how: How, on_done: Callable[[int], object]) -> Settled:
    """Retry or drop the chosen letters that are not settled; `on_done(n)` is called for progress.

    Raises `FencedError` if another command began meanwhile, `BrokerError` if the broker is away; what was committed
    stays, and the command may be given again.
    """
    name = app_id(settings, "dead-letters")
    producer = transactional_producer(settings, name)
    try:
        producer.init_transactions(TIMEOUT_S)
    except KafkaException as exc:
        what = f"cannot begin transactions at {settings.bootstrap_servers}"
        raise refused(settings, what, f"Write on transactional-id {name}", exc) from exc
    settled, missing = Settled(), set(choice.names)
    # The ends of this moment: a record that is retried and bad again is a new letter, not one of these.
    for batch in _batches(_open(settings, choice, how, settled, missing)):
        _commit(settings, producer, batch, how)
        settled.done += len(batch)
        on_done(len(batch))
    settled.unknown = sorted(missing)
    return settled


def _open(settings: Settings, choice: Choice, how: How, settled: Settled, missing: set[str]) -> Iterator[Letter]:
    """The letters to settle; what is with the others goes to `settled`, names that were seen leave `missing`."""
    for letter in _letters(settings, _ends(settings)):
        missing.discard(letter.name)
        if not choice(letter):
            continue
        if letter.settled:
            settled.before += 1
        elif how == "retried" and (why := _lost(settings, letter)):
            settled.refused.append((letter.name, why))
        else:
            yield letter


def _batches(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    """Letters in lists of at most `AT_ONCE`, and about `BYTES_AT_ONCE`."""
    batch: list[Letter] = []
    size = 0
    for letter in letters:
        batch.append(letter)
        size += len(letter.record.value or b"")
        if len(batch) >= AT_ONCE or size >= BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _ends(settings: Settings) -> list[int]:
    topic = build_topics(settings).dead_letters
    return ends_of(settings, topic, range(topic.partitions))


def _letters(settings: Settings, ends: Sequence[int]) -> Iterator[Letter]:
    """All letters, oldest first in each partition.

    A partition is read twice: marks come after their letters, and these are too large to keep until then.
    """
    topic = build_topics(settings).dead_letters
    for partition, end in enumerate(ends):
        marks = {}
        for record in read_whole(settings, topic, partition, end):
            headers = dict(record.headers)
            if SETTLED in headers:
                marks[headers[SETTLED]] = headers.get(HOW, b"").decode(errors="replace")
        for record in read_whole(settings, topic, partition, end):
            letter = _letter(record, marks.get(f"{partition}-{record.offset}".encode(), ""))
            if letter is not None:
                yield letter


def _letter(record: ReadRecord, settled: str) -> Letter | None:
    """The letter that a record is; None: it is a mark."""
    if any(name == SETTLED for name, _ in record.headers):
        return None
    ours: dict[str, str] = {}
    original: list[tuple[str, bytes | None]] = []
    for name, value in record.headers:
        if name.startswith(ORIGINAL):
            original.append((name.removeprefix(ORIGINAL), value))
        else:
            ours[name] = (value or b"").decode(errors="replace")
    return Letter(record, ours, original, settled)


def _lost(settings: Settings, letter: Letter) -> str:
    """Why a letter cannot be retried; empty: it can."""
    known = {topic.name: topic.partitions for topic in build_topics(settings).all()}
    if {"length", "key_length", "headers_left_out"} & letter.headers.keys():
        return "the letter holds only a part of the record"
    if not 0 <= letter.number("partition") < known.get(letter.topic, 0):
        return f"there is no partition {letter.headers.get('partition')} of topic {letter.topic or '(none)'}"
    return ""


def _commit(settings: Settings, producer: Producer, batch: Sequence[Letter], how: How) -> None:
    """Settle a batch: marks, and with them the records if they are retried."""
    topic, now_ms = build_topics(settings).dead_letters.name, str(time.time_ns() // 1_000_000).encode()
    try:
        producer.begin_transaction()
        for letter in batch:
            record = letter.record
            if how == "retried":
                # With its own time: a record from before its user's erasure must not pass for a new one. Without the
                # mark of a copy: sent again to a wrong partition, it is to be forwarded.
                producer.produce(
                    letter.topic,
                    record.value,
                    record.key,
                    letter.number("partition"),
                    headers=[header for header in letter.original_headers if header[0] != FORWARDED_HEADER],
                    timestamp=max(letter.number("timestamp_ms"), 0),
                )
            mark: list[tuple[str, str | bytes | None]] = [
                (SETTLED, letter.name.encode()),
                (HOW, how.encode()),
                (SETTLED_AT, now_ms),
            ]
            producer.produce(topic, None, None, record.partition, headers=mark)
        producer.commit_transaction(TIMEOUT_S)
    except KafkaException as exc:
        if exc.args[0].fatal() or exc.args[0].txn_requires_abort():
            raise FencedError(
                f"the letters were not settled: {exc.args[0].str()}\n  Does another `profilestream dead-letters` run? "
                "What is settled stays settled; give the command again."
            ) from exc
        raise BrokerError(f"the letters may not be settled: {exc.args[0].str()}; give the command again") from exc
