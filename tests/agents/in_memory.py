"""An agent on batches without a broker: the real absorber, transaction and table, on a log in memory."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faust.types import TP

from agents.runtime.absorber import Absorber
from agents.runtime.agent import Agent
from agents.runtime.batch import Batch, Record
from agents.runtime.crashes import CrashRecord
from agents.runtime.metrics import Metrics
from agents.runtime.table import Table
from agents.settings import Settings
from tests.agents.runtime.test_positions import Rec

MOST_BYTES = 1_048_000
"""What a broker takes."""


@dataclass(frozen=True)
class _Delivered:
    """What a producer says of a record that arrived."""

    at: int
    where: int

    def offset(self) -> int:
        return self.at

    def partition(self) -> int:
        return self.where


@dataclass
class Log:
    """Stands for the broker and its producer: (topic, partition) → records."""

    now_ms: int = 1_700_000_000_000
    records: dict[tuple[str, int], list[Rec]] = field(default_factory=lambda: defaultdict(list))

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        callback: Callable[[object, object], None] | None = None,
        on_delivery: None = None,
        timestamp: int = 0,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> None:
        """Keep a record; one that a broker would refuse fails."""
        assert len(value or b"") + len(key or b"") < MOST_BYTES, f"{topic}: {len(value or b'')} bytes"
        kept = self.records[topic, partition]
        kept.append(Rec(topic, partition, len(kept), timestamp or self.now_ms, key, value, tuple(headers or ())))
        assert on_delivery is None, "the other name of callback"
        if callback is not None:
            callback(None, _Delivered(len(kept) - 1, partition))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in {"begin_transaction", "send_offsets_to_transaction", "commit_transaction", "flush", "poll"}:
            return lambda *_: 0
        raise AttributeError(name)

    def all(self, topic: str) -> list[Rec]:
        """Every record of a topic."""
        return [record for (name, _), records in self.records.items() if name == topic for record in records]


class Worker:
    """One agent with a table of its own; partition 0 of everything."""

    def __init__(self, settings: Settings, folder: Path, name: str, agent: Agent, log: Log) -> None:
        self.metrics = Metrics()
        self.changelog = f"{name}-changelog"
        self.table = Table(folder / name, self.changelog)
        self.table.open(frozenset({0}))
        agent.assigned(frozenset({0}), self.table)
        crashes = CrashRecord(folder / f"{name}.json")
        producer: Any = log
        self._absorber = Absorber(
            settings, name, producer, self.table, crashes, self.metrics, agent.absorb, lambda: b""
        )

    def absorb(self, topic: str, records: Sequence[Record]) -> None:
        """One batch."""
        self.absorb_all({topic: records})

    def absorb_all(self, records: Mapping[str, Sequence[Record]]) -> None:
        """One batch of several topics."""
        self._absorber.absorb(Batch({TP(topic, 0): of_topic for topic, of_topic in records.items() if of_topic}))

    def close(self) -> None:
        """Close the table; the absorber's thread ends with it."""
        self.table.close()
        del self._absorber
