"""A changelog partition, transaction by transaction: each ends with a seal (`agents.runtime.seal`)."""

from collections.abc import Iterator, Mapping

from agents.runtime.seal import EMPTY, SEAL_KEY, Seal, unpack_seal
from agents.topics import Topic
from agents.verify.reading import Reader
from agents.verify.report import PartReport

Pending = list[tuple[bytes, int, bytes | None]]
"""Key, offset and value of rows; None: deleted."""


class SealedLog:
    """Reads one partition to its end."""

    def __init__(self, reader: Reader, changelog: Topic, partition: int) -> None:
        self._reader, self._changelog, self._partition = reader, changelog, partition
        self.seal: Seal | None = None
        """Of the transaction that `transactions` gave last; of the last one afterwards."""
        self._unsealed: Pending = []

    def transactions(self) -> Iterator[Pending]:
        """Rows of each transaction, `seal` set; last what comes after the last seal, if anything does.

        Goes on to the end of a transaction that is half read at the end as it was at the start.
        """
        topic, partition = self._changelog, self._partition
        start, end = self._reader.start(topic, partition), self._reader.end(topic, partition)
        pending: Pending = []
        while start < end:
            for record in self._reader.read(topic, partition, start, end):
                if record.key != SEAL_KEY:
                    pending.append((record.key or b"", record.offset, record.value))
                    continue
                self.seal = unpack_seal(record.value)
                yield pending
                pending = []
            start, end = end, self._reader.end(topic, partition) if pending else end
        self._unsealed = pending
        if pending:
            yield pending

    def check(self, rows: Mapping[bytes, bytes], report: PartReport) -> None:
        """Whether all rows, as they are in the end, add up to the last seal."""
        name = f"{self._changelog.name}-{self._partition}"
        if self.seal is None:
            if rows:
                report.notes.append(f"{name} has no seals: an older version wrote it")
            return
        for _, offset, _ in self._unsealed:
            report.differs("row after the last seal", f"{name}-{offset}", "no worker wrote it")
        found = EMPTY.after(rows, [None] * len(rows))
        if found != self.seal.tally:
            detail = f"{found.rows} rows, {self.seal.tally.rows} sealed" if found.rows != self.seal.tally.rows else ""
            report.differs("rows do not add up to their seal", name, detail)
