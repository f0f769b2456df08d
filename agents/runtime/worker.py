"""Runs one Faust worker: an agent on batches of its source topics, exactly once, until told to stop."""

import asyncio
import contextlib
import gc
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from faust.types import TP

from agents.admin import check_topics
from agents.runtime.absorber import Absorber, start_producer
from agents.runtime.agent import Agent
from agents.runtime.batch import Batch
from agents.runtime.crashes import CrashRecord
from agents.runtime.engine import Engine, Fetch
from agents.runtime.gather import Gatherer
from agents.runtime.health import Health, HealthServer
from agents.runtime.lag import LagWatch
from agents.runtime.metrics import Metrics
from agents.runtime.positions import Positions
from agents.runtime.process import DataFolder, Ending, exit_code_of, leave, set_up_logging
from agents.runtime.restore import Restorer
from agents.runtime.standby import Standbys
from agents.runtime.table import Table
from agents.runtime.view import View
from agents.settings import Settings
from agents.topics import Topic, app_id, build_topics, changelog_name

log = logging.getLogger(__name__)

ROUND_S = 0.05
"""How often the worker looks round between batches."""
SWITCH_S = 0.0001
"""A fetch takes many turns of the consumer's thread; each should not wait 5 ms, Python's default, for a batch to give
way."""
GC_THRESHOLD = 50_000
"""A batch makes many short-lived containers, none of them in cycles: by default Python would look for cycles in all
items and profiles many times a second."""
PENDING_S = 0.25
"""How often work without input is done, also while input is gathered. Each time is a transaction: 5 to 8 ms of CPU with
the broker's. Done once a second or less, it held up all others on the same cores."""


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker is made of. All sources have the same number of partitions; so has the table."""

    name: str
    sources: tuple[Topic, ...]
    table: str
    views: tuple[View[Any], ...] = ()
    gather_s: float = 0.0
    pending_s: float = PENDING_S
    """Least time between two times that work without input is done."""
    fetch_bytes: int = 4 * 1024 * 1024
    """Most bytes that one fetch brings of a partition."""


class Worker:
    """One process's worker. `run` is all there is to call."""

    def __init__(self, settings: Settings, spec: WorkerSpec, agent: Agent, ending: Ending, metrics: Metrics) -> None:
        self._settings, self._spec, self._agent, self._ending = settings, spec, agent, ending
        self._group = app_id(settings, spec.name)
        self._metrics, self._health, self._positions = metrics, Health(), Positions()
        self._gathered = Gatherer(spec.gather_s, settings.max_batch_records)
        self._absorbed_at = 0.0
        self._failed: BaseException | None = None
        self._starts: dict[TP, int] = {}
        self._data = DataFolder(settings, self._group)  # its lock is held as long as it is kept
        self._folder = self._data.claim()
        self._table = Table(self._folder / spec.table, changelog_name(settings, spec.name, spec.table))
        self._sources = tuple(topic.name for topic in spec.sources)
        self._crashes = CrashRecord(self._folder / "crashes.json")
        self._restorer = Restorer(settings, spec.name, self._sources, self._table, self._metrics, self._show_restore)
        self._standbys = Standbys(settings, spec.name, self._table, self._metrics)

    async def run(self) -> None:
        """Work until a signal or an error; raises the error."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        self._ending.on_request(self._stop_soon)
        settings = self._settings
        if settings.http_port:
            HealthServer(settings, self._health, self._metrics)
        if settings.embedded:
            log.warning("the broker is the embedded one: nothing is durable")
        letters = build_topics(settings).dead_letters.name
        read = [*self._sources, *(view.topic for view in self._spec.views)]
        await asyncio.to_thread(check_topics, settings, [*read, self._table.changelog, letters], self._spec.name)
        producer = await asyncio.to_thread(start_producer, settings, self._group)
        for view in self._spec.views:
            view.start(self._metrics)
        await self._views_caught_up()
        self._engine = Engine(
            settings,
            self._group,
            self._sources,
            self._spec.fetch_bytes,
            self._spec.gather_s,
            self._positions,
            self._restore,
            self._on_fetch,
            self._on_revoked,
            self._on_assigned,
            self._fail,
        )
        self._absorber = Absorber(
            settings,
            self._spec.name,
            producer,
            self._table,
            self._crashes,
            self._metrics,
            self._agent.absorb,
            self._engine.group_metadata,
        )
        self._health.reasons = ("partitions",)
        # Not awaited: it may take long, and fail, while signals and errors must be heard.
        starting = asyncio.ensure_future(self._engine.app.start())
        starting.add_done_callback(self._started)
        LagWatch(settings, self._health, self._reading).start()
        try:
            while not self._stop.is_set():
                await self._round()
        except Exception as exc:
            self._fail(exc)
        if self._failed is not None:
            raise self._failed
        self._table.close()

    def _started(self, starting: "asyncio.Future[Any]") -> None:
        error = None if starting.cancelled() else starting.exception()
        if error is not None:
            self._fail(error)

    async def _views_caught_up(self) -> None:
        """Wait for the views, taking over what they read: they may hold more than fits between two looks."""
        while not self._stop.is_set():
            behind = tuple(f"view {view.topic}" for view in self._spec.views if not view.caught_up)
            self._check_views()
            self._agent.refresh()
            self._health.reasons = behind
            self._health.beat()
            if not behind:
                return
            await asyncio.sleep(ROUND_S)

    async def _round(self) -> None:
        """Absorb what is due, or let the agent take over what its views read; else wait a moment for records."""
        self._health.beat()
        self._health.check()
        self._check_views()
        if (reason := self._engine.crash_reason()) is not None:
            self._fail(reason)
        now = time.monotonic()
        if self._gathered.due(now):
            self._absorb(gathered=True)
        elif self._pending(now):
            self._absorb(gathered=False)
        else:
            self._agent.refresh()
            self._health.still = () if self._standbys.complete else ("standby",)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), ROUND_S)

    def _pending(self, now: float) -> bool:
        """Whether it is time for work without input."""
        idle_s = now - self._absorbed_at
        return bool(self._positions.owned()) and idle_s >= self._spec.pending_s and self._agent.pending()

    def _check_views(self) -> None:
        """End the worker if a view ended."""
        for view in self._spec.views:
            if view.error is not None:
                self._fail(view.error)

    def _reading(self) -> Mapping[TP, int]:
        """Where reading stands; nothing during a restore, when it stands still and should."""
        return self._engine.reading() if self._positions.owned() else {}

    def _restore(self, partitions: frozenset[int]) -> dict[TP, int]:
        self._show_restore("0 %")
        self._metrics.add("rebalances_total")
        epoch = self._positions.epoch
        self._standbys.release(partitions)
        self._starts = self._restorer.restore(partitions, lambda: self._positions.epoch == epoch)
        if self._settings.standby and self._positions.epoch == epoch:
            self._standbys.follow(frozenset(range(self._spec.sources[0].partitions)) - partitions)
        return self._starts

    def _show_restore(self, done: str) -> None:
        self._health.reasons = (f"restore {done}",)

    def _on_revoked(self) -> None:
        """A rebalance begins. No batch is at work: batches and this run in one thread."""
        self._positions.lose_all()
        self._gathered.clear()  # it will be fetched again
        self._room.set()

    def _on_assigned(self, partitions: frozenset[int]) -> None:
        self._agent.assigned(partitions, self._table)
        self._crashes.own(self._starts)
        self._health.reasons = ()
        log.info("%s worker %s works on partitions %s", self._spec.name, self._settings.instance, sorted(partitions))

    async def _on_fetch(self, fetch: Fetch) -> None:
        """Take a fetch in; wait when there is enough for a batch, so that the rest stays at the broker."""
        self._gathered.add(self._positions.take(fetch.epoch, fetch.runs), time.monotonic())
        self._wake.set()
        while self._gathered.full() and not self._stop.is_set():
            self._room.clear()
            await self._room.wait()

    def _absorb(self, *, gathered: bool) -> None:
        """One batch: all that is gathered, or nothing.

        It blocks the loop: in a thread of its own it would run beside fetches of a few records each, and take longer.
        """
        owned = self._positions.owned()
        if owned and self._failed is None:
            tp, offset = next(iter(owned.items()))
            batch = self._gathered.take() if gathered else Batch({})
            # What is still gathered was taken in but not absorbed.
            self._absorber.absorb(batch, {tp: self._gathered.starts().get(tp, offset)})
            self._absorbed_at = time.monotonic()
            if len(batch):  # record by record, one can take minutes
                self._health.note_lag(moved=True, behind=True)
        self._room.set()

    def _fail(self, error: BaseException) -> None:
        """End the worker with this error; callable from any thread."""
        if self._failed is None:
            self._failed = error
        self._stop_soon()

    def _stop_soon(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


def run_worker(settings: Settings, spec: WorkerSpec, agent: Agent, metrics: Metrics | None = None) -> NoReturn:
    """Run a worker until SIGTERM, SIGINT or an error. Does not return: the process ends with the exit code.

    `metrics`: those that the agent adds to; None: it has none of its own.
    """
    set_up_logging(settings)
    gc.set_threshold(GC_THRESHOLD, 50, 100)
    sys.setswitchinterval(SWITCH_S)
    ending = Ending()

    async def work() -> NoReturn:
        code = 0
        try:
            await Worker(settings, spec, agent, ending, metrics or Metrics()).run()
        except Exception as exc:
            code = exit_code_of(exc)
        leave(code)  # here and not after the loop: it would wait for every task and thread of the engine

    asyncio.run(work())
