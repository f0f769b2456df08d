"""What an agent is given: the records of one or several fetches, by topic and partition."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from faust.types import TP


class Record(Protocol):
    """One record as it was read; aiokafka's `ConsumerRecord` is one."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Kafka time, ms since 1970."""
        ...

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


Runs = Mapping[TP, Sequence[Record]]
"""Records of each topic partition, offsets ascending."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of partitions that this worker owns and has restored, none of which was absorbed before."""

    runs: Runs

    def of(self, topic: str) -> Iterator[tuple[int, Sequence[Record]]]:
        """(partition, its records) of one source topic."""
        for tp, records in self.runs.items():
            if tp.topic == topic:
                yield tp.partition, records

    def starts(self) -> dict[TP, int]:
        """First offset of each run."""
        return {tp: records[0].offset for tp, records in self.runs.items()}

    def ends(self) -> dict[TP, int]:
        """Offset after the last of each run: what is committed."""
        return {tp: records[-1].offset + 1 for tp, records in self.runs.items()}

    def __len__(self) -> int:
        return sum(map(len, self.runs.values()))
