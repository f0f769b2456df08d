"""The demo from start to end."""

import signal
import time
from collections import deque
from pathlib import Path
from types import FrameType

from rich.console import Console

from agents import sample
from agents.demo.folder import demo_folder
from agents.demo.processes import READY_TIMEOUT_S, Workers
from agents.demo.screen import Screen, list_panel, result_table
from agents.demo.settling import wait_until_complete, wait_until_settled
from agents.demo.traffic import Traffic
from agents.errors import ProfilestreamError
from agents.local.embedded import PARTITIONS, EmbeddedBroker
from agents.replay import send_catalogue
from agents.settings import Settings, read_settings
from models.evaluation import NextEvents

LEARNED_SHARE = 0.8
ROWS_PUBLISHED_PER_S = 600
"""About 3 MB of neighbours a second: the embedded broker keeps 20 MB, and the views must not fall behind."""
INTERRUPTED = 130
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""They end the demo, once; further ones must not disturb the clean-up."""
POLL_S = 0.1
ACTIVE_KEPT = 20


def run(*, bert: bool, most_events: int) -> int:
    """Run the demo; returns its exit code. Everything it started has ended when it returns."""
    console, asked = Console(), Interrupt()
    before = {number: signal.signal(number, asked.hear) for number in ENDING}
    try:
        with demo_folder() as folder:
            _run(folder, console, bert, most_events, asked)
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has ended")
        return INTERRUPTED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


class Interrupt:
    """A signal to end. Its exception is lost where it strikes in a destructor or a callback; `check` raises it then."""

    _heard = False

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if not self._heard:
            self._heard = True
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if a signal came."""
        if self._heard:
            raise KeyboardInterrupt


def _run(folder: Path, console: Console, bert: bool, most_events: int, asked: Interrupt) -> None:
    began = time.perf_counter()
    with EmbeddedBroker() as broker:
        environment = {
            "PROFILESTREAM_BOOTSTRAP_SERVERS": broker.bootstrap,
            "PROFILESTREAM_EMBEDDED": "true",
            "PROFILESTREAM_DATA_DIR": str(folder / "data"),
            "PROFILESTREAM_USER_PARTITIONS": str(PARTITIONS),
            "PROFILESTREAM_ITEM_PARTITIONS": str(PARTITIONS),
            "PROFILESTREAM_ROWS_PUBLISHED_PER_S": str(ROWS_PUBLISHED_PER_S),
            "PROFILESTREAM_BERT_MODEL": "bundled" if bert else "",
            "PROFILESTREAM_LISTS_BY": "scorer",
        }
        settings = read_settings(
            bootstrap_servers=broker.bootstrap,
            embedded=True,
            data_dir=folder / "data",
            user_partitions=PARTITIONS,
            item_partitions=PARTITIONS,
            lists_by="scorer",
        )
        console.print(f"embedded broker on {broker.bootstrap}; starting one worker of each kind")
        items = send_catalogue(settings, sample.items())
        with Workers(folder, environment) as workers:
            for kind in ("scorer", "profiles", "similarity"):
                workers.start(kind)
            _wait_until_ready(workers, console, asked)
            console.print(f"{items:,} catalogue entries; workers ready after {time.perf_counter() - began:.0f} s")
            with Screen(console) as screen:
                _replay(settings, workers, screen, most_events, asked)
    console.print(f"done in {time.perf_counter() - began:.0f} s; everything that was started has ended")


def _wait_until_ready(workers: Workers, console: Console, asked: Interrupt) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    with console.status("waiting for the workers") as status:
        while waiting := workers.waiting_for():
            asked.check()
            status.update(f"waiting for {waiting}")
            if time.monotonic() > deadline:
                raise ProfilestreamError(f"the workers were not ready after {READY_TIMEOUT_S:.0f} s: {waiting}")
            time.sleep(POLL_S)


def _replay(settings: Settings, workers: Workers, screen: Screen, most_events: int, asked: Interrupt) -> None:
    events = list(sample.events())[-most_events:]
    split = int(len(events) * LEARNED_SHARE)
    scores, active = NextEvents(), deque[str](maxlen=ACTIVE_KEPT)
    part = "learning"
    checked_at = 0.0

    def tick() -> None:
        nonlocal checked_at
        asked.check()
        if time.monotonic() - checked_at > 1.0:
            workers.check()
            checked_at = time.monotonic()
        active.extend(user for user in traffic.acted() if user not in active)
        screen.show(part, traffic.figures, traffic.newest, list(active))

    traffic = Traffic(settings, scores, tick)
    try:
        traffic.figures.total = len(events)
        traffic.learn(events[:split])
        now = time.perf_counter()
        screen.say(f"learned from {split:,} purchases at {traffic.figures.events_per_s(now):,.0f} events/s")
        part = "similarity follows"
        if not wait_until_settled(workers, settings, tick):
            screen.say("similarity has not followed yet; the first lists are made without some neighbours")
        part = "embeddings are made"
        wait_until_complete(workers, tick)
        part = "users act on their lists"
        traffic.act(events[split:])
        for user in list(active)[-2:]:
            if traffic.newest.get(user, {}).get("items"):
                screen.say("")
                screen.console.print(list_panel(traffic.newest[user]))
        screen.console.print(result_table(scores, traffic.figures))
    finally:
        traffic.close()
