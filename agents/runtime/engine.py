"""What is different from plain Faust. Numbers are issues of faust-streaming/faust.

* A fetch is one message: its value is the fetch itself (Faust spends 60 to 200 µs on each message).
* Partitions are restored by `restore.py` before the flow resumes; Faust has no tables, standbys or changelogs to read
  (its recovery skips records that it cannot decode, and waits for ever on a log that ends in a marker: #176, #651).
* Nothing is acknowledged and nothing is committed by Faust (#606, #316): offsets go into the transaction.
* Only committed records are read (Faust does so in its own exactly-once mode only, which loses records: #323, #136).
* Faust seeks first and lets the flow resume then; what is fetched in between it throws away, and goes on behind the
  hole. Here the flow resumes first, and the seek is last: one step of the consumer's thread for all partitions,
  which also changes the epoch that each fetch is stamped with in that thread. What was fetched before it is void; after
  it nothing is thrown away until the next rebalance.
"""

import asyncio
import itertools
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, OffsetResetStrategy
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalStateError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.tables import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.errors import BrokerError, FencedError
from agents.runtime.batch import Runs
from agents.runtime.positions import Positions
from agents.runtime.refusal import no_right
from agents.settings import Settings

FETCH_WAIT_MS = 100
GATHERED_FETCH_WAIT_MS = 500
GATHERED_FETCH_BYTES = 1024 * 1024
"""Who gathers for longer has time: else a fetch would bring each small transaction, one for each of its partitions."""
EMBEDDED_FETCH_WAIT_MS = 8
"""librdkafka's mock cluster answers a fetch at the end of its wait; aiokafka pays 2 ms of CPU for each."""
BACKLOG_RECORDS = 1_000
"""After a fetch of so many, more than come in a second where latency counts most, the next is made while the batch is
at work: there is a backlog, and it is worked off sooner so."""
FETCH_MORE_S = 0.005
"""Most time that is given to one more fetch; it takes 1 to 3 ms, where it does not wait for bytes."""
PREFETCH_BACKOFF_S = 1.0
"""aiokafka waits 0.1 s before it fetches again for a partition whose records are not yet taken, and has no option."""
POLL_INTERVAL_S = 3_600.0
"""A long restore must not cost the membership; liveness has its own check."""

Restore = Callable[[frozenset[int]], dict[TP, int]]


class FetchPace(NamedTuple):
    """When a fetch is answered: with so many bytes, or after so long."""

    wait_ms: int
    min_bytes: int


def pace_of(embedded: bool, gather_s: float, fetch_bytes: int) -> FetchPace:
    """The pace of a worker that gathers for `gather_s`; a fetch brings at most `fetch_bytes` of a partition."""
    if embedded:
        return FetchPace(EMBEDDED_FETCH_WAIT_MS, 1)
    if gather_s * 1000 > GATHERED_FETCH_WAIT_MS:
        return FetchPace(GATHERED_FETCH_WAIT_MS, min(GATHERED_FETCH_BYTES, fetch_bytes))
    return FetchPace(FETCH_WAIT_MS, 1)


class Fetch(NamedTuple):
    """The value of the one message that a fetch is."""

    epoch: int
    runs: Runs


class _Folded(NamedTuple):
    """A fetch in the shape of an aiokafka record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    headers: Any
    key: None
    value: Fetch
    checksum: None
    serialized_key_size: int
    serialized_value_size: int


class _PassThrough(faust.Schema[Any, Any]):
    """Hands the fetch to the agent as it is: what cannot be decoded is the agent's to decide."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> Any:
        return None

    def loads_value(self, app: Any, message: Any, **options: Any) -> Any:
        return message.value


class _Stamped(dict[TP, list[Any]]):
    """Records of one fetch, with the epoch in which the consumer's thread took them."""

    epoch = -1

    def count(self) -> int:
        return sum(map(len, self.values()))


class _BatchScheduler:
    """Faust's order of delivery: all at once."""

    # Faust drops messages whose offset is below the last one's of that partition; these only ever rise.
    _offsets = itertools.count(1 << 50)

    def iterate(self, records: _Stamped) -> Iterator[tuple[TP, _Folded]]:
        if records:
            tp, run = next(iter(records.items()))
            fetch, offset, at_ms = Fetch(records.epoch, dict(records)), next(self._offsets), run[-1].timestamp
            yield tp, _Folded(tp.topic, tp.partition, offset, at_ms, 0, (), None, fetch, None, 0, 0)


class _CommittedThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer with options that it does not offer."""

    pace = FetchPace(FETCH_WAIT_MS, 1)
    epoch = -1

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms, consumer._fetch_min_bytes = self.pace
        # Range puts the same partitions of all source topics on one worker: a user's records stay together.
        consumer._partition_assignment_strategy = (RangePartitionAssignor,)
        return consumer

    async def _fetch_records(self, consumer: AIOKafkaConsumer, *args: Any, **options: Any) -> _Stamped:
        """What the broker has when it is asked for, or the first that comes.

        aiokafka would fetch again at once: with few events that brings what came in a moment and leaves all that comes
        while a batch is at work to the batch after the next. So small fetches are not made before they are asked for.
        (The embedded broker would hold each up, and who gathers has time: they fetch ahead.)
        What waits here all the same (another broker's answer) is old, and what came since is fetched with it.
        """
        waited = bool(consumer._fetcher._records)
        consumer.resume(*consumer.paused())
        records = await self._fetch_once(consumer, *args, **options)
        most: int = options["max_records"]
        if waited and 0 < records.count() < most:
            wanted = {"timeout": FETCH_MORE_S, "max_records": most - records.count()}
            more = await self._fetch_once(consumer, *args, **{**options, **wanted})
            if more.epoch != records.epoch:
                return more  # the older ones are from before a rebalance: they are fetched again
            for tp, run in more.items():
                records[tp] = [*records[tp], *run] if tp in records else run
        if 0 < records.count() < min(BACKLOG_RECORDS, most) and self.pace.wait_ms == FETCH_WAIT_MS:
            consumer.pause(*consumer.assignment())
        return records

    async def _fetch_once(self, *args: Any, **options: Any) -> _Stamped:
        try:
            records = _Stamped(await super()._fetch_records(*args, **options))
        except OffsetOutOfRangeError as exc:
            where = ", ".join(f"{tp.topic}-{tp.partition} at {offset}" for tp, offset in exc.args[0].items())
            raise BrokerError(
                f"records were deleted before they were read ({where}): raise the topic's retention.\n  "
                "The next start says how to go on."
            ) from exc
        records.epoch = self.epoch
        return records

    async def on_partitions_revoked(self, revoked: Any) -> None:
        # Until the seek, aiokafka needs a position for partitions of which nothing is committed.
        self._ensure_consumer()._fetcher._default_reset_strategy = OffsetResetStrategy.EARLIEST
        await super().on_partitions_revoked(revoked)

    async def restart_at(self, starts: dict[TP, int], epoch: int) -> None:
        """Fetch from these offsets on; fetches are stamped with this epoch from now on."""
        await self.call_thread(self._restart_at, starts, epoch)

    async def _restart_at(self, starts: dict[TP, int], epoch: int) -> None:
        consumer = self._ensure_consumer()
        try:
            for tp, offset in starts.items():  # no `await` in here: a fetch in between would belong to both epochs
                consumer.seek(TopicPartition(tp.topic, tp.partition), offset)
        except IllegalStateError:
            return  # not assigned any more: a rebalance has begun, and comes here again
        # From here on aiokafka must not go on behind records that were deleted before they were read.
        consumer._fetcher._default_reset_strategy = OffsetResetStrategy.NONE
        self.epoch = epoch


class _CommittedConsumer(driver.Consumer):
    async def perform_seek(self) -> None:
        """Nothing: `restart_at` is the only seek."""

    def _new_consumer_thread(self) -> _CommittedThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _commit(self, offsets: Any) -> bool:
        return True  # offsets are in the transaction; Faust's own would set them back


class _CommittedTransport(driver.Transport):
    Consumer = _CommittedConsumer


class Engine:
    """One Faust app: delivers fetches to `on_fetch`, restores through `restore`, reports errors to `on_failure`."""

    def __init__(
        self,
        settings: Settings,
        app_id: str,
        sources: tuple[str, ...],
        fetch_bytes: int,
        gather_s: float,
        positions: Positions,
        restore: Restore,
        on_fetch: Callable[[Fetch], Awaitable[None]],
        on_revoked: Callable[[], None],
        on_assigned: Callable[[frozenset[int]], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._settings, self._app_id = settings, app_id

        def fail(error: BaseException) -> None:
            on_failure(self._explained(error))

        _fetch_without_backoff()
        _CommittedThread.pace = pace_of(settings.embedded, gather_s, fetch_bytes)

        class OwnRecovery(Recovery):
            """Restores, then lets the flow resume. It runs once for each rebalance."""

            def on_partitions_revoked(self, revoked: set[TP]) -> None:
                on_revoked()
                super().on_partitions_revoked(revoked)

            async def on_rebalance(self, assigned: Any, revoked: Any, newly: Any, generation_id: int = 0) -> None:
                on_revoked()
                await super().on_rebalance(assigned, revoked, newly, generation_id)

            async def _resume_streams(self, generation_id: int = 0) -> None:
                epoch = positions.epoch
                try:
                    assigned = frozenset(tp.partition for tp in self.app.consumer.assignment() if tp.topic in sources)
                    starts = await asyncio.to_thread(restore, assigned)
                    if positions.epoch != epoch or self.app.consumer_generation_id != generation_id:
                        return  # another rebalance began meanwhile; it restores again
                    on_assigned(assigned)
                    positions.own(starts)
                except Exception as exc:
                    fail(exc)
                    return
                await self._go_on(starts, positions.epoch)

            async def _go_on(self, starts: dict[TP, int], epoch: int) -> None:
                """Faust's `_resume_streams`, with the seek at its end."""
                app: Any = self.app
                consumer = app.consumer
                await app.on_rebalance_complete.send()
                consumer.resume_partitions(set(starts))
                self.completed.set()
                app.flow_control.resume()
                consumer.resume_flow()
                await app._fetcher.maybe_start()
                self.tables.on_actives_ready()
                self.tables.on_standbys_ready()
                app.on_rebalance_end()
                await consumer._thread.restart_at(starts, epoch)

        class OwnTables(TableManager):
            @property
            def recovery(self) -> Recovery:
                if self._recovery is None:
                    self._recovery = OwnRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
                return self._recovery

        class OwnApp(faust.App):
            def FlowControlQueue(  # noqa: N802
                self, maxsize: int | None = None, *, clear_on_resume: bool = False
            ) -> Any:
                # Faust empties the queues after its seek: a fetch made in between would be lost.
                return super().FlowControlQueue(maxsize=maxsize, clear_on_resume=False)

            async def crash(self, reason: BaseException) -> None:
                fail(reason)

        session_s = settings.session_timeout_ms / 1000
        self.app = OwnApp(
            app_id,
            broker=[f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")],
            store="memory://",
            datadir=str(settings.data_dir / f"{app_id}-{settings.instance}" / "faust"),
            topic_partitions=settings.user_partitions,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            stream_wait_empty=False,
            stream_buffer_maxsize=1,  # while the agent works, records wait at the broker and come as one batch
            table_standby_replicas=0,
            stream_recovery_delay=0.0,
            ConsumerScheduler=_BatchScheduler,
            TableManager=OwnTables,
            broker_commit_interval=3_600.0,
            broker_commit_every=1_000_000_000,
            broker_max_poll_records=settings.max_batch_records,
            broker_max_poll_interval=POLL_INTERVAL_S,
            broker_session_timeout=session_s,
            broker_heartbeat_interval=session_s / 4,
            broker_rebalance_timeout=max(session_s, 30.0),
            broker_request_timeout=max(session_s + 5, 40.0),
            broker_credentials=_credentials(settings),
            broker_check_crcs=not settings.embedded,  # the mock cluster changes batches after their CRC is made
            consumer_max_fetch_size=fetch_bytes,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=settings.instance,
        )
        self.app.transport = _CommittedTransport(self.app.conf.broker_consumer, self.app)
        channel = self.app.topic(*sources, schema=_PassThrough(), acks=False)

        @self.app.agent(channel, name=f"{app_id}-batches")
        async def deliver(stream: Any) -> None:
            # `events` ends neither on what cannot be decoded (as `take` does) nor on an error: `fail` ends the process,
            # since Faust would start the agent anew, acknowledge the batch and go on without it.
            try:
                async for event in stream.events():
                    await on_fetch(event.value)
            except Exception as exc:
                fail(exc)

    def _kafka_consumer(self) -> Any:
        """aiokafka's consumer; None before it is there."""
        thread = getattr(self.app._consumer, "_thread", None)
        return getattr(thread, "_consumer", None)

    def crash_reason(self) -> BaseException | None:
        """Why a part of the engine ended by itself; Faust would go on without it, and stand still."""
        app = self.app
        for service in (app, app._consumer, app._fetcher, getattr(app._consumer, "_thread", None)):
            if service is not None and service.crashed:
                return self._explained(service.crash_reason or RuntimeError(f"{service} ended"))
        # aiokafka tells of a refused group when it is asked for records, and Faust asks once there is an assignment.
        coordinator = getattr(self._kafka_consumer(), "_coordinator", None)
        refused = getattr(coordinator, "_pending_exception", None)
        return self._explained(refused) if isinstance(refused, GroupAuthorizationFailedError) else None

    def _explained(self, error: BaseException) -> BaseException:
        """The error, or the one that names the right that was missing."""
        if isinstance(error, GroupAuthorizationFailedError):
            return no_right(self._settings, f"Read on group {self._app_id}")
        if isinstance(error, TopicAuthorizationFailedError):
            return no_right(self._settings, f"Read on topic {', '.join(sorted(map(str, error.args)))}")
        return error

    def reading(self) -> dict[TP, int]:
        """Where reading stands in each assigned partition, transaction markers passed."""
        consumer = self._kafka_consumer()
        subscription = consumer._subscription.subscription if consumer is not None else None
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        states = {TP(tp.topic, tp.partition): assignment.state_value(tp) for tp in assignment.tps}
        return {tp: state.position for tp, state in states.items() if state is not None and state.has_valid_position}

    def group_metadata(self) -> bytes:
        """What `send_offsets_to_transaction` wants: librdkafka's layout of the membership that aiokafka holds."""
        coordinator = self._kafka_consumer()._coordinator
        return pack_group_metadata(self._app_id, coordinator.generation, coordinator.member_id, self._settings.instance)


def pack_group_metadata(group: str, generation: int, member: str, instance: str) -> bytes:
    """librdkafka's serialised consumer group metadata, version 2. Raises `FencedError` without a membership.

    aiokafka forgets its membership when the broker says that it is over, and the broker takes offsets of nobody for an
    empty group: they would be those of a batch that another worker, gone since, has absorbed.
    """
    if generation < 0 or not member:
        raise FencedError(f"this worker is no member of group {group} any more")
    return (
        b"CGMDv2:"
        + struct.pack("<i", generation)
        + group.encode()
        + b"\0"
        + member.encode()
        + b"\0"
        + (b"\0" + instance.encode() + b"\0" if instance else b"\1")
    )


def _credentials(settings: Settings) -> Credentials | None:
    """TLS and SASL as Faust wants them; None: neither."""
    context = settings.tls_context() if settings.uses_tls else None
    if settings.uses_sasl:
        return SASLCredentials(
            username=settings.sasl_username,
            password=settings.password(),
            ssl_context=context,
            mechanism=settings.sasl_mechanism,
        )
    return SSLCredentials(context) if context is not None else None


def _fetch_without_backoff() -> None:
    """Make aiokafka's fetchers fetch again at once."""
    original = Fetcher.__init__
    if getattr(original, "without_backoff", False):
        return

    def init(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **{**options, "prefetch_backoff": PREFETCH_BACKOFF_S})

    init.without_backoff = True  # type: ignore[attr-defined]
    Fetcher.__init__ = init
