"""One batch, one transaction: what every worker does around its own work."""

import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaException, Producer
from faust.types import TP

from agents.errors import AgentError, BrokerError, FencedError, ProfilestreamError, RecordError, SetupError
from agents.runtime.batch import Batch
from agents.runtime.clients import transactional_producer
from agents.runtime.crashes import CrashRecord
from agents.runtime.dead_letters import BadRecordLimits
from agents.runtime.metrics import Metrics
from agents.runtime.refusal import refused
from agents.runtime.table import Table
from agents.runtime.transaction import Transaction
from agents.settings import Settings
from agents.topics import build_topics

INIT_TIMEOUT_S = 25.0

Work = Callable[[Batch, Transaction], None]


def start_producer(settings: Settings, group: str) -> Producer:
    """The transactional producer; aborts what an earlier life left open. Raises `BrokerError`, `AccessError`."""
    name = f"{group}-{settings.instance}"
    producer = transactional_producer(settings, name)
    try:
        producer.init_transactions(INIT_TIMEOUT_S)
    except KafkaException as exc:
        what = f"cannot begin transactions at {settings.bootstrap_servers}"
        raise refused(settings, what, f"Write on transactional-id {name}", exc) from exc
    return producer


class Absorber:
    """Runs `work` on batches, each in a transaction with its offsets."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        producer: Producer,
        table: Table | None,
        crashes: CrashRecord,
        metrics: Metrics,
        work: Work,
        group_metadata: Callable[[], Any],
    ) -> None:
        self._name, self._producer, self._table = name, producer, table
        self._crashes, self._metrics, self._work = crashes, metrics, work
        self._group_metadata = group_metadata
        self._executor = ThreadPoolExecutor(1, "offsets")
        letters = build_topics(settings).dead_letters
        self._letters = (letters.name, letters.partitions)
        self._bad = BadRecordLimits(
            settings.dead_letters_in_row, settings.dead_letters_share, settings.dead_letters_window
        )

    def absorb(self, batch: Batch, offsets: Mapping[TP, int] | None = None) -> None:
        """Absorb a batch; `offsets` are committed with an empty one, which is what fences a worker that lost them.

        Raises `AgentError` if the work failed, `FencedError` if this worker is not the owner any more.
        """
        for part in self._crashes.parts(batch):
            self._absorb_part(part, part.ends() or offsets or {})

    def _absorb_part(self, batch: Batch, offsets: Mapping[TP, int]) -> None:
        began = time.perf_counter()
        transaction = Transaction(
            self._producer, self._table, self._letters, self._metrics, time.time_ns() // 1_000_000
        )
        transaction.send_offsets(offsets, self._group_metadata(), self._executor)
        transaction.hold()
        try:
            if not self._put_culprit_aside(batch, transaction):
                self._work(batch, transaction)
            transaction.seal_rows()
        except (FencedError, BrokerError, SetupError):
            raise  # no fault of the batch: it must not come under suspicion
        except Exception as exc:
            transaction.wait_for_offsets()
            self._crashes.failed(batch, traceback.format_exc())
            raise AgentError(self._failure(batch, exc)) from exc
        transaction.commit()
        self._crashes.absorbed(batch.ends())
        for tp, records in batch.runs.items():
            self._metrics.add("records_absorbed_total", len(records), topic=tp.topic)
        self._metrics.observe("batch_records", len(batch))
        self._metrics.observe("batch_seconds", time.perf_counter() - began)
        if len(batch) and (reached := self._bad.add(transaction.bad, len(batch))) is not None:
            what, setting = reached
            raise ProfilestreamError(
                f"{what}: a producer is broken.\n  See why with `profilestream dead-letters show` (topic "
                f"{self._letters[0]}); mend the producer, or raise {setting} (0: no limit)."
            )

    def _failure(self, batch: Batch, error: Exception) -> str:
        """What is logged: where, but not the error's own text, which may name a user."""
        runs = ", ".join(f"{tp.topic}-{tp.partition} from {start}" for tp, start in batch.starts().items())
        frames = traceback.extract_tb(error.__traceback__)[1:]
        lines = "".join(f"\n  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
        return (
            f"the {self._name} agent failed on {len(batch)} records ({runs or 'none'}): {type(error).__name__}{lines}\n"
            f"  The whole traceback is in {self._crashes.path}"
        )

    def _put_culprit_aside(self, batch: Batch, transaction: Transaction) -> bool:
        """Dead-letter a record that ended the process by itself before."""
        if not self._crashes.careful or len(batch) != 1:
            return False
        ((tp, (record,)),) = batch.runs.items()
        trace = self._crashes.culprit(tp, record.offset)
        if trace is None:
            return False
        reason = trace.strip().splitlines()[-1] if trace.strip() else "unknown"
        transaction.dead_letter(record, RecordError("agent_failed", reason), trace)
        return True
