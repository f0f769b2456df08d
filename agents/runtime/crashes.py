"""What to do about a batch that keeps ending the process.

batch fails ──► noted, process ends ──► same batch fails again … three times ──► taken record by record
                                                 a record fails ──► noted as culprit, process ends ──► dead letter
all of the batch absorbed ──► forgotten; its partitions gone to another worker ──► set aside
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from faust.types import TP

from agents.runtime.batch import Batch

FAILURES_BEFORE_SINGLE_RECORDS = 3


class _Noted(msgspec.Struct):
    """What is known of the failing batch. Partitions are "topic/partition"."""

    failures: int = 0
    starts: dict[str, int] = {}
    ends: dict[str, int] = {}
    culprits: dict[str, str] = {}
    """"topic/partition/offset" → traceback."""
    last: str = ""
    """Traceback of the last failure, with what the log leaves out: it may name users."""


def _name(tp: TP) -> str:
    return f"{tp.topic}/{tp.partition}"


@dataclass
class CrashRecord:
    """Remembers, across processes, which batch failed and how often."""

    path: Path
    _noted: _Noted = field(init=False)
    _owned: set[str] | None = field(init=False, default=None)
    """None: not known yet."""

    def __post_init__(self) -> None:
        self._noted = _Noted()
        if self.path.exists():
            self._noted = msgspec.json.decode(self.path.read_bytes(), type=_Noted)

    @property
    def careful(self) -> bool:
        """Whether records are to be taken one by one."""
        noted = self._noted
        mine = self._owned is None or not self._owned.isdisjoint(noted.ends)
        return noted.failures >= FAILURES_BEFORE_SINGLE_RECORDS and mine

    def culprit(self, tp: TP, offset: int) -> str | None:
        """The traceback of a record that ended the process by itself; None: it did not."""
        return self._noted.culprits.get(f"{_name(tp)}/{offset}")

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """The batch as it is to be absorbed: whole, or record by record where it failed before."""
        if not self.careful:
            yield batch
            return
        rest = {}
        for tp, records in batch.runs.items():
            end = self._noted.ends.get(_name(tp), 0)
            for record in records:
                if record.offset < end:
                    yield Batch({tp: [record]})
            later = [record for record in records if record.offset >= end]
            if later:
                rest[tp] = later
        if rest or not batch.runs:
            yield Batch(rest)

    def failed(self, batch: Batch, traceback: str) -> None:
        """The agent raised on this batch; written to disk before the process ends. An empty one is only noted."""
        noted = self._noted
        noted.last = traceback
        if not len(batch):
            self._save()
            return
        starts = {_name(tp): offset for tp, offset in batch.starts().items()}
        if self.careful and len(batch) == 1:
            (tp, records), *_ = batch.runs.items()
            noted.culprits[f"{_name(tp)}/{records[0].offset}"] = traceback
        elif any(noted.starts.get(name) == offset for name, offset in starts.items()):
            noted.failures += 1
            self._extend(batch)
        else:
            self._noted = _Noted(1, starts, last=traceback)
            self._extend(batch)
        self._save()

    def absorbed(self, ends: Mapping[TP, int]) -> None:
        """These offsets are committed: forget the batch once all of it is."""
        noted = self._noted
        if not (noted.failures or noted.last):
            return
        for tp, offset in ends.items():
            name = _name(tp)
            if offset >= noted.ends.get(name, 0):
                noted.ends.pop(name, None)
        if not noted.ends:
            self._noted = _Noted()
            self.path.unlink(missing_ok=True)

    def own(self, starts: Mapping[TP, int]) -> None:
        """Exactly these partitions are this worker's from now on, to be read from these offsets.

        What is noted of others waits until they come back: partitions that go to and fro must not be counted anew.
        """
        self._owned = {_name(tp) for tp in starts}
        if self._noted.ends:
            self.absorbed(starts)

    def _extend(self, batch: Batch) -> None:
        for tp, end in batch.ends().items():
            self._noted.ends[_name(tp)] = max(end, self._noted.ends.get(_name(tp), 0))

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".tmp")
        scratch.write_bytes(msgspec.json.encode(self._noted))
        scratch.replace(self.path)
