"""The network between workers and brokers: a proxy that rewrites nothing, and can be slow, silent or cut.

worker in zone 1 ──► proxy port of (node, zone 1) ──► listener ZONE1 of the node, which advertises the proxy's port

A zone is what shares one network: all its links change together.
"""

import json
import subprocess
import sys
from typing import NamedTuple

from tests.broker.support import ROOT

STOP_TIMEOUT_S = 10.0


class Passed(NamedTuple):
    """What went through a zone so far: bytes of both directions, connections made."""

    bytes: int
    connections: int


class Network:
    """All links, in a process of their own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.proxy"]
        self._proxy = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def link(self, zone: int, port: int, target: int) -> None:
        """Pass connections to `port` on to `target`, as members of a zone."""
        self._ask(zone, port=port, target=target, delay_s=0.0, open=1, flows=1)

    def passed(self, zone: int) -> Passed:
        """What went through a zone so far."""
        return self._ask(zone)

    def slow(self, zone: int, delay_s: float) -> None:
        """Every piece of up to 64 KB takes so much longer, in each direction."""
        self._ask(zone, delay_s=delay_s, open=1, flows=1)

    def hold(self, zone: int) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._ask(zone, delay_s=0.0, open=1, flows=0)

    def cut(self, zone: int) -> None:
        """End all connections of a zone; new ones end at once."""
        self._ask(zone, delay_s=0.0, open=0, flows=1)

    def heal(self, zone: int) -> None:
        """As if nothing had been; what was held arrives now."""
        self._ask(zone, delay_s=0.0, open=1, flows=1)

    def close(self) -> None:
        """End all links."""
        self._proxy.communicate(timeout=STOP_TIMEOUT_S)

    def _ask(self, zone: int, **command: float) -> Passed:
        assert self._proxy.stdin is not None
        assert self._proxy.stdout is not None
        self._proxy.stdin.write(json.dumps({"zone": zone, **command}) + "\n")
        self._proxy.stdin.flush()
        answer = json.loads(self._proxy.stdout.readline())
        return Passed(answer["bytes_passed"], answer["connections"])
