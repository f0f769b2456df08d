"""The proxy process: `python -m tests.faults.proxy`. One JSON command a line comes in, one line of state goes out.

A process of its own, since it must not wait for the tests, nor they for it.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

HOST = "127.0.0.1"
CHUNK = 64 * 1024


@dataclass
class Zone:
    """How the links of one zone are."""

    delay_s: float = 0.0
    open: bool = True
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    bytes_passed: int = 0
    connections: int = 0

    def change(self, delay_s: float, *, is_open: bool, flows: bool) -> None:
        """Be so from now on, also on links that are there."""
        self.delay_s, self.open = delay_s, is_open
        if flows:
            self.flows.set()
        else:
            self.flows.clear()
        if not is_open:
            for writer in list(self.writers):
                writer.transport.abort()


class Proxy:
    """All links."""

    def __init__(self) -> None:
        self._zones: dict[int, Zone] = {}
        self._servers: list[asyncio.Server] = []

    async def obey(self, command: Mapping[str, float]) -> Mapping[str, float]:
        """Do what a line asks for: a new link, a change of a zone, or nothing but to tell its state."""
        zone = self._zones.setdefault(int(command["zone"]), Zone())
        if "port" in command:
            await self._link(zone, int(command["port"]), int(command["target"]))
        if "delay_s" in command:
            zone.change(command["delay_s"], is_open=bool(command["open"]), flows=bool(command["flows"]))
        return {"bytes_passed": zone.bytes_passed, "connections": zone.connections}

    async def _link(self, zone: Zone, port: int, target: int) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await _serve(zone, reader, writer, target)
            except OSError:
                writer.transport.abort()

        self._servers.append(await asyncio.start_server(connected, HOST, port))


async def _serve(zone: Zone, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
    if not zone.open:
        writer.transport.abort()
        return
    there, back = await asyncio.open_connection(HOST, target)
    zone.connections += 1
    zone.writers |= {writer, back}
    pumps = [asyncio.ensure_future(_pump(zone, *ends)) for ends in ((reader, back), (there, writer))]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    zone.writers -= {writer, back}
    for pump in pumps:
        pump.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
    for end in (writer, back):
        end.transport.abort()


async def _pump(zone: Zone, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        if zone.delay_s:
            await asyncio.sleep(zone.delay_s)
        await zone.flows.wait()
        writer.write(data)
        await writer.drain()
        zone.bytes_passed += len(data)


async def main() -> None:
    """Obey until the standard input ends."""
    proxy, loop = Proxy(), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await proxy.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which need the network to clean up
    asyncio.run(main())
