"""Three Kafka nodes on this machine; what is written must be on two of them before it counts."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.local.kafka import HOST, LocalKafka, new_cluster_id
from tests.conftest import free_port
from tests.faults.network import Network

COUNT = 3
ZONES = (1, 2)

# A lost node is noticed sooner than by default (9 s), and so is a transaction left open: a test need not wait.
PROPERTIES = """\
node.id={node}
controller.quorum.voters={voters}
listeners={listeners},CONTROLLER://{host}:{controller_port}
advertised.listeners={advertised}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,{zones}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"""


@dataclass
class Nodes:
    """The cluster, and the network through which workers reach it."""

    nodes: Sequence[LocalKafka]
    proxy_ports: Sequence[dict[int, int]]
    """Of each node: zone → port."""
    network: Network

    @property
    def bootstrap(self) -> str:
        """Addresses past the proxies: for the tests themselves."""
        return ",".join(node.bootstrap for node in self.nodes)

    def bootstrap_of(self, zone: int) -> str:
        """Addresses for workers in a zone."""
        return ",".join(f"{HOST}:{ports[zone]}" for ports in self.proxy_ports)

    def start(self) -> None:
        """Start all nodes that do not run, at the same time: one alone has no quorum and does not answer."""
        with ThreadPoolExecutor(COUNT) as pool:
            list(pool.map(LocalKafka.start, self.nodes))

    def stop(self) -> None:
        """End all nodes, also paused ones, at once: their data is not needed any more."""
        for node in range(COUNT):
            self.signal(node, signal.SIGKILL)
        with ThreadPoolExecutor(COUNT) as pool:
            list(pool.map(LocalKafka.stop, self.nodes))

    def signal(self, node: int, number: signal.Signals) -> None:
        """Send a signal to a node's process, if it runs."""
        pid = self.nodes[node].status().pid
        if pid is not None:
            os.kill(pid, number)

    def go_on(self) -> None:
        """Wake paused nodes."""
        for node in range(COUNT):
            self.signal(node, signal.SIGCONT)

    def mend(self) -> None:
        """Everything is there again: all nodes run, all links pass."""
        self.go_on()
        self.start()
        for zone in ZONES:
            self.network.heal(zone)


def _properties(node: int, kafka: list[tuple[int, int]], inside: dict[int, int], outside: dict[int, int]) -> str:
    port, controller_port = kafka[node]
    plain = f"PLAINTEXT://{HOST}:{port}"
    return PROPERTIES.format(
        node=node + 1,
        host=HOST,
        controller_port=controller_port,
        voters=",".join(f"{number + 1}@{HOST}:{controller}" for number, (_, controller) in enumerate(kafka)),
        listeners=",".join([plain, *(f"ZONE{zone}://{HOST}:{to}" for zone, to in inside.items())]),
        advertised=",".join([plain, *(f"ZONE{zone}://{HOST}:{to}" for zone, to in outside.items())]),
        zones=",".join(f"ZONE{zone}:PLAINTEXT" for zone in ZONES),
    )


@contextmanager
def running_nodes(folder: Path) -> Iterator[Nodes]:
    """Three nodes and their proxies for as long as the context."""
    ports = [(free_port(), free_port()) for _ in range(COUNT)]
    inside = [{zone: free_port() for zone in ZONES} for _ in range(COUNT)]
    outside = [{zone: free_port() for zone in ZONES} for _ in range(COUNT)]
    cluster_id = new_cluster_id()
    nodes = [
        LocalKafka(
            folder / f"node-{node + 1}", *ports[node], _properties(node, ports, inside[node], outside[node]), cluster_id
        )
        for node in range(COUNT)
    ]
    network = Network()
    made = Nodes(nodes, outside, network)
    try:
        for node in range(COUNT):
            for zone in ZONES:
                network.link(zone, outside[node][zone], inside[node][zone])
        made.start()
        yield made
    finally:
        made.stop()
        network.close()
