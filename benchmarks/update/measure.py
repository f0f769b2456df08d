"""One run of one program: rate, CPU, memory, bytes."""

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic

from agents.local.kafka import LocalKafka
from agents.runtime.clients import admin_client, committed_consumer
from agents.settings import Settings
from agents.topics import Topic, changelog_name
from benchmarks.harness import POLL_S, Measured, Offsets, cpu_s_of, running, variables_of
from benchmarks.peers.profilestream_update import TABLE
from benchmarks.update.programs import PRODUCT, Program, Run

WARM_UP = 0.1
"""Share of the events after which measuring begins: by then a JVM has compiled what it will."""
RUN_TIMEOUT_S = 400.0
_NO_LEADER_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
}
"""What is said of a topic that was just made."""


class Ends:
    """How many records a topic has, markers of transactions included."""

    def __init__(self, settings: Settings, topic: str, partitions: int) -> None:
        self._consumer: Consumer = committed_consumer(settings, "ends")
        self._partitions = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._known = 0

    def __call__(self) -> int:
        """So many now, those of open transactions too."""
        try:
            found = [self._consumer.get_watermark_offsets(one, 10, cached=False)[1] for one in self._partitions]
        except KafkaException as exc:
            if exc.args[0].code() not in _NO_LEADER_YET:
                raise
            return self._known
        self._known = sum(found)
        return self._known

    def close(self) -> None:
        """Let the connection go."""
        self._consumer.close()


def create(settings: Settings, run: Run, partitions: int) -> None:
    """The topics that a run writes to and does not make itself."""
    topics = [NewTopic(run.answers, partitions, 1)]
    if run.program == PRODUCT:
        changelog = changelog_name(settings, run.name, TABLE)
        topics.append(NewTopic(changelog, partitions, 1, config=Topic(changelog, partitions, "compact").config()))
    admin = admin_client(settings)  # kept until the answers are there
    for made in admin.create_topics(topics).values():
        made.result()


def delete(settings: Settings, run: Run) -> None:
    """All topics of a run, so that the next ones find as much disk and page cache."""
    admin = admin_client(settings)
    mine = [name for name in admin.list_topics(timeout=10).topics if run.group in name]
    for deleted in admin.delete_topics(mine).values():
        deleted.result()


def changelog_bytes(broker: LocalKafka, run: Run) -> int:
    """Bytes of the changelogs' segments on disk."""
    segments = broker.directory.rglob(f"*{run.group}*/*.log")  # Quix Streams puts the group behind `changelog`
    return sum(path.stat().st_size for path in segments if "changelog" in path.parent.name)


def _until(done: Callable[[], bool], process: Measured, what: str) -> float:
    """Wait for a condition, or until the program ended by itself; when it was (perf_counter)."""
    deadline = time.perf_counter() + RUN_TIMEOUT_S
    while not done():
        try:
            process.sample()
        except RuntimeError:
            if process.process.returncode:
                raise
            break
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{process.name}: {what} did not come within {RUN_TIMEOUT_S:.0f} s")
        time.sleep(POLL_S)
    return time.perf_counter()


def measure(
    broker: LocalKafka, settings: Settings, program: Program, run: Run, source: Topic, count: int
) -> dict[str, Any]:
    """Run a program on `count` events of the source, from a tenth of the answers on until nothing is left to do."""
    environment = {
        **variables_of(settings),
        "PEER_BROKER": broker.bootstrap,
        "PEER_IN": source.name,
        "PEER_OUT": run.answers,
        "PEER_GROUP": run.group,
        "PEER_DIR": str(run.state),
        "PEER_EVENTS": str(count),
    }
    offsets, answered = Offsets(settings), Ends(settings, run.answers, source.partitions)
    broker_pid = broker.status().pid or 0

    def done() -> bool:
        return program.has_group and offsets.committed(run.group, source) >= count

    started = time.perf_counter()
    with running(run.name, program.command(run), environment, run.folder) as process:
        began = _until(lambda: answered() >= count * WARM_UP, process, "the first answers")
        first, cpu_s, broker_cpu_s = answered(), process.cpu_s, cpu_s_of(broker_pid)
        ended = _until(done, process, "the last event")
        broker_cpu_s = cpu_s_of(broker_pid) - broker_cpu_s
        last = answered()
    if program.has_group and not done():
        raise RuntimeError(f"{run.name} ended before its work was done:\n{process.log.read_text()[-3000:]}")
    # Markers of transactions count as records; and a program that is stopped has begun on more than it was asked for.
    events = (last if program.most_events is not None else count) - first
    total = first + events
    answered.close()
    return {
        "events": events,
        "events_per_s": round(events / (ended - began)),
        "cpu_us_per_event": round((process.cpu_s - cpu_s) / events * 1e6, 1),
        "broker_cpu_us_per_event": round(broker_cpu_s / events * 1e6, 1),
        "peak_mb": round(process.peak_mb),
        "changelog_bytes_per_event": round(changelog_bytes(broker, run) / total, 1),
        "warm_up_s": round(began - started, 1),
    }
