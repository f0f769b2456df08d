"""Runs one Faust worker: an agent on batches of its source topics, exactly once, until told to stop."""

import asyncio
import logging
import time
import traceback
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException

from agents.admin import check_topics
from agents.errors import AgentError, BrokerError, ProfilestreamError, RecordError
from agents.runtime.agent import Agent
from agents.runtime.batch import Batch
from agents.runtime.clients import transactional_producer
from agents.runtime.crashes import CrashRecord
from agents.runtime.dead_letters import RowOfBadRecords
from agents.runtime.engine import Engine, Fetch
from agents.runtime.gather import Gatherer
from agents.runtime.health import Health, HealthServer
from agents.runtime.lag import LagWatch
from agents.runtime.metrics import Metrics
from agents.runtime.positions import Positions
from agents.runtime.process import DataFolder, Ending, exit_code_of, leave, set_up_logging
from agents.runtime.restore import Restorer
from agents.runtime.table import Table
from agents.runtime.transaction import Transaction
from agents.runtime.view import View
from agents.settings import Settings
from agents.topics import Topic, app_id, build_topics

log = logging.getLogger(__name__)

ROUND_S = 0.05
"""How often the worker looks round between batches."""
PENDING_S = 0.2
"""How often work without input is done when nothing is gathered."""
INIT_TIMEOUT_S = 25.0


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker is made of. All sources have the same number of partitions; so has the table."""

    name: str
    sources: tuple[Topic, ...]
    table: str
    views: tuple[View[Any], ...] = ()
    gather_s: float = 0.0


class Worker:
    """One process's worker. `run` is all there is to call."""

    def __init__(self, settings: Settings, spec: WorkerSpec, agent: Agent, ending: Ending) -> None:
        self._settings, self._spec, self._agent, self._ending = settings, spec, agent, ending
        self._group = app_id(settings, spec.name)
        self._metrics, self._health, self._positions = Metrics(), Health(), Positions()
        self._gathered = Gatherer(spec.gather_s, settings.max_batch_records)
        self._bad = RowOfBadRecords(settings.dead_letters_in_row)
        letters = build_topics(settings).dead_letters
        self._letters = (letters.name, letters.partitions)
        self._absorbed_at = 0.0
        self._failed: BaseException | None = None
        folder = DataFolder(settings, self._group).claim()
        self._crashes = CrashRecord(folder / "crashes.json")
        self._table = Table(folder / spec.table, f"{self._group}-{spec.table}-changelog")
        self._sources = tuple(topic.name for topic in spec.sources)
        self._restorer = Restorer(settings, spec.name, self._sources, self._table, self._metrics)

    async def run(self) -> None:
        """Work until a signal or an error; raises the error."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ending.on_request(lambda: self._loop.call_soon_threadsafe(self._stop.set))
        settings = self._settings
        if settings.http_port:
            HealthServer(settings, self._health, self._metrics)
        check_topics(settings, [*self._sources, self._table.changelog, self._letters[0]])
        self._producer = transactional_producer(settings, f"{self._group}-{settings.instance}")
        try:
            await asyncio.to_thread(self._producer.init_transactions, INIT_TIMEOUT_S)
        except KafkaException as exc:
            raise BrokerError(
                f"cannot begin transactions at {settings.bootstrap_servers}: {exc.args[0].str()}"
            ) from exc
        for view in self._spec.views:
            view.start(self._metrics)
        await self._views_caught_up()
        self._engine = Engine(
            settings,
            self._group,
            self._sources,
            self._positions,
            self._restore,
            self._on_fetch,
            self._on_assigned,
            self._fail,
        )
        self._health.reasons = ("partitions",)
        starting = asyncio.ensure_future(self._engine.app.start())
        starting.add_done_callback(self._started)
        LagWatch(settings, self._health, self._engine.reading).start()
        while not self._stop.is_set():
            await self._round()
        if self._failed is not None:
            raise self._failed
        self._table.close()

    def _started(self, starting: asyncio.Future[None]) -> None:
        error = None if starting.cancelled() else starting.exception()
        if error is not None:
            self._fail(error)

    async def _views_caught_up(self) -> None:
        """Wait for the views, taking over what they read: they may hold more than fits between two looks."""
        while not self._stop.is_set():
            behind = tuple(f"view {view.topic}" for view in self._spec.views if not view.caught_up)
            self._raise_view_errors()
            self._agent.refresh()
            self._health.reasons = behind
            self._health.beat()
            if not behind:
                return
            await asyncio.sleep(ROUND_S)

    async def _round(self) -> None:
        """Between batches: absorb what is due, let the agent take over what its views read."""
        self._health.beat()
        self._raise_view_errors()
        now = time.monotonic()
        try:
            if self._gathered.due(now):
                self._absorb(self._gathered.take())
            elif self._positions.owned() and now - self._absorbed_at >= max(self._spec.gather_s, PENDING_S):
                if self._agent.pending():
                    self._absorb(self._gathered.take())
                self._absorbed_at = now
            self._agent.refresh()
        except Exception as exc:
            self._fail(exc)
        try:
            await asyncio.wait_for(self._stop.wait(), ROUND_S)
        except TimeoutError:
            return

    def _raise_view_errors(self) -> None:
        for view in self._spec.views:
            if view.error is not None:
                self._fail(view.error)

    def _restore(self, partitions: frozenset[int]) -> dict[Any, int]:
        self._health.reasons = ("restore",)
        self._metrics.add("rebalances_total")
        return self._restorer.restore(partitions)

    def _on_assigned(self, partitions: frozenset[int]) -> None:
        self._gathered.clear()
        self._agent.assigned(partitions, self._table)
        self._health.reasons = ()
        log.info("%s worker %s works on partitions %s", self._spec.name, self._settings.instance, sorted(partitions))

    def _on_fetch(self, fetch: Fetch) -> None:
        self._gathered.add(self._positions.take(fetch.epoch, fetch.runs), time.monotonic())
        if self._gathered.due(time.monotonic()):
            self._absorb(self._gathered.take())

    def _absorb(self, batch: Batch) -> None:
        if self._failed is not None:
            return
        for part in self._crashes.parts(batch):
            self._absorb_part(part)
        self._absorbed_at = time.monotonic()

    def _absorb_part(self, batch: Batch) -> None:
        """One transaction."""
        began = time.perf_counter()
        transaction = Transaction(
            self._producer, self._table, self._letters, self._metrics, time.time_ns() // 1_000_000
        )
        try:
            if not self._put_culprit_aside(batch, transaction):
                self._agent.absorb(batch, transaction)
        except Exception as exc:
            trace = traceback.format_exc()
            self._crashes.failed(batch, trace)
            where = ", ".join(f"{tp.topic}-{tp.partition} from {start}" for tp, start in batch.starts().items())
            raise AgentError(f"the {self._spec.name} agent failed on {len(batch)} records ({where})\n{trace}") from exc
        # An empty batch commits an offset that is committed already: that is what fences a worker that lost it.
        offsets = batch.ends() or dict(list(self._positions.owned().items())[:1])
        transaction.commit(offsets, self._engine.group_metadata())
        self._crashes.absorbed(batch.ends())
        for tp, records in batch.runs.items():
            self._metrics.add("records_absorbed_total", len(records), topic=tp.topic)
        self._metrics.observe("batch_records", len(batch))
        self._metrics.observe("batch_seconds", time.perf_counter() - began)
        if len(batch) and self._bad.add(transaction.bad, len(batch)):
            raise ProfilestreamError(
                f"{self._settings.dead_letters_in_row} bad records in a row: a producer is broken.\n  "
                f"See why in topic {self._letters[0]}; mend the producer, or raise PROFILESTREAM_DEAD_LETTERS_IN_ROW."
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

    def _fail(self, error: BaseException) -> None:
        """End the worker with this error; callable from any thread."""
        if self._failed is None:
            self._failed = error
        self._loop.call_soon_threadsafe(self._stop.set)


def run_worker(settings: Settings, spec: WorkerSpec, agent: Agent) -> int:
    """Run a worker until SIGTERM, SIGINT or an error. Does not return: the process ends with the exit code."""
    set_up_logging(settings)
    ending = Ending()

    async def work() -> None:
        code = 0
        try:
            await Worker(settings, spec, agent, ending).run()
        except Exception as exc:
            code = exit_code_of(exc)
        leave(code)

    asyncio.run(work())
    return 0
