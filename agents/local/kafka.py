"""Apache Kafka on this machine, without Docker: one broker as a background process that outlives the command."""

import base64
import logging
import shutil
import socket
import subprocess
import time
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from agents.local import process
from agents.local.cache import cache_folder
from agents.local.errors import LocalKafkaError
from agents.local.java import KAFKA_VERSION, exclusive, find_java, kafka_jars

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
DEFAULT_PORT = 9092
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
"""A clean end writes snapshots; after that long it is killed, which Kafka survives."""
ANSWER_TIMEOUT_S = 2.0
POLL_S = 0.1
LOG_TAIL_LINES = 20

# One node: nothing to replicate to. Few partitions in the internal topics, because each costs time at start.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=4
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def new_cluster_id() -> str:
    """A random id in the form that Kafka's storage tool wants."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


@dataclass(frozen=True)
class KafkaStatus:
    """What is known about a broker: `running` is its process, `answering` its port."""

    running: bool
    answering: bool
    pid: int | None
    bootstrap: str
    directory: Path
    log: Path
    version: str = KAFKA_VERSION


@dataclass(frozen=True)
class LocalKafka:
    """One broker, named by its directory (settings, data, log, pid) and its ports; several can run side by side.

    Every method may be called from any process; starts and stops of one directory wait for each other.
    """

    directory: Path
    port: int = DEFAULT_PORT
    controller_port: int = DEFAULT_PORT + 1
    more_properties: str = ""
    """Lines after those of `PROPERTIES`; of a name that is there twice the later one counts."""
    cluster_id: str = ""
    """Given to all nodes of one cluster; empty: a new one."""

    @classmethod
    def on_port(cls, port: int = DEFAULT_PORT) -> Self:
        """The broker for this port, with its directory in the cache folder and the controller on the next port."""
        return cls(cache_folder() / "kafka" / str(port), port, port + 1)

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"{HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        """What the broker wrote since its last start."""
        return self.directory / "server.log"

    @property
    def properties_file(self) -> Path:
        return self.directory / "server.properties"

    @property
    def pid_file(self) -> Path:
        return self.directory / "pid"

    def start(self) -> bool:
        """Starts the broker and returns when it answers; False if it was already running.

        The first start on a machine fetches the jars. LocalKafkaError says what is missing, in use or went wrong; no
        process is left then.
        """
        with self._exclusive():
            if pid := self._pid():
                self._require_same_settings()
                log.info("Apache Kafka is already running on %s (pid %d)", self.bootstrap, pid)
                self._wait_until_it_answers(pid)
                return False
            java = find_java()
            jars = kafka_jars(cache_folder())
            self._require_free_ports()
            self.properties_file.write_text(self._properties())
            self._format(java, jars)
            pid = process.start_detached(
                [java, "-Xmx512m", *_LOGGING, "-cp", f"{jars}/*", "kafka.Kafka", str(self.properties_file)],
                output=self.log_file,
                pid_file=self.pid_file,
            )
            try:
                self._wait_until_it_answers(pid)
            except BaseException:
                self._end(pid)
                raise
            log.info("Apache Kafka %s answers on %s (pid %d)", KAFKA_VERSION, self.bootstrap, pid)
            return True

    def stop(self) -> bool:
        """Ends the broker for certain and keeps its data; False if it was not running."""
        if not self.directory.is_dir():
            return False
        with self._exclusive():
            pid = self._pid()
            if pid:
                self._end(pid)
            self.pid_file.unlink(missing_ok=True)
            return pid is not None

    def status(self) -> KafkaStatus:
        """Whether it runs and answers, now."""
        pid = self._pid()
        return KafkaStatus(
            running=pid is not None,
            answering=pid is not None and self._answers(),
            pid=pid,
            bootstrap=self.bootstrap,
            directory=self.directory,
            log=self.log_file,
        )

    def delete_data(self) -> None:
        """Forgets all topics; LocalKafkaError while the broker runs."""
        if self._pid():
            raise LocalKafkaError(f"Apache Kafka is running on {self.bootstrap}; stop it before its data is deleted.")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _exclusive(self) -> AbstractContextManager[None]:
        return exclusive(self.directory / "lock")

    def _properties(self) -> str:
        data = self.directory / "data"
        own = PROPERTIES.format(host=HOST, port=self.port, controller_port=self.controller_port, data=data)
        return own + self.more_properties

    def _pid(self) -> int | None:
        """The broker's process. A pid that now belongs to something else does not count."""
        return process.read_pid(self.pid_file, must_contain=str(self.properties_file))

    def _require_same_settings(self) -> None:
        if self.properties_file.read_text() != self._properties():
            raise LocalKafkaError(
                f"Another Apache Kafka, with other ports, runs on the data in {self.directory}. "
                "Stop that one, or choose another directory."
            )

    def _require_free_ports(self) -> None:
        for port in (self.port, self.controller_port):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as exc:
                    raise LocalKafkaError(
                        f"Port {port} is in use by another program. End that program, or choose another port "
                        f"(profilestream kafka start --port {self.port + 100})."
                    ) from exc

    def _format(self, java: str, jars: Path) -> None:
        if (self.directory / "data" / "meta.properties").exists():
            return
        cluster = self.cluster_id or new_cluster_id()
        tool = [java, "-cp", f"{jars}/*", "kafka.tools.StorageTool"]
        answer = subprocess.run(
            [*tool, "format", f"--cluster-id={cluster}", "--config", str(self.properties_file)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise LocalKafkaError(
                f"Apache Kafka could not prepare {self.directory / 'data'}: {(answer.stdout + answer.stderr).strip()}"
            )

    def _wait_until_it_answers(self, pid: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._pid() != pid:
                raise LocalKafkaError(f"Apache Kafka ended at once. {self._log_tail()}")
            if self._answers():
                return
            time.sleep(POLL_S)
        raise LocalKafkaError(f"Apache Kafka did not answer within {START_TIMEOUT_S:.0f} s. {self._log_tail()}")

    def _answers(self) -> bool:
        try:
            # Asked before the client is, which would complain on standard error.
            socket.create_connection((HOST, self.port), timeout=ANSWER_TIMEOUT_S).close()
            client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            return bool(client.list_topics(timeout=ANSWER_TIMEOUT_S).brokers)
        except (OSError, KafkaException):
            return False

    def _end(self, pid: int) -> None:
        if not process.end(pid, timeout_s=STOP_TIMEOUT_S):
            raise LocalKafkaError(f"Apache Kafka (pid {pid}) could not be ended. End it by hand: kill -9 {pid}")

    def _log_tail(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines() if self.log_file.exists() else []
        return f"The end of {self.log_file}:\n" + "\n".join(lines[-LOG_TAIL_LINES:])


_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS",
    "-Djava.awt.headless=true",
)
