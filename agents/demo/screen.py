"""What the demo shows: a live screen on a terminal, plain lines elsewhere."""

import math
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agents.demo.traffic import Figures
from models.evaluation import NextEvents

REFRESH_S = 0.25
PLAIN_EVERY_S = 5.0
USERS_SHOWN = 3
ITEMS_SHOWN = 4


class Screen:
    """Shows figures and a few users' lists; use as a context."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._shown_at = 0.0
        self._users: list[str] = []

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self.console.print(text)

    def show(self, part: str, figures: Figures, newest: Mapping[str, dict[str, Any]], recent: list[str]) -> None:
        """The state of things; does nothing if the last one is young. `recent`: users who acted lately."""
        now = time.perf_counter()
        if now - self._shown_at < (REFRESH_S if self._live is not None else PLAIN_EVERY_S):
            return
        self._shown_at = now
        line = _figures(part, figures, now)
        if self._live is None:
            self.console.print(line)
            return
        self._choose(newest, recent)
        lists = [list_panel(newest[user]) for user in self._users if user in newest]
        bar = ProgressBar(total=max(figures.total, 1), completed=figures.sent)
        self._live.update(Group(Text(line), bar, *lists))

    def _choose(self, newest: Mapping[str, dict[str, Any]], recent: list[str]) -> None:
        """The users shown stay while they act, so that their lists are seen to change."""
        stay = [user for user in self._users if user in recent]
        others = [user for user in recent if user not in stay and newest.get(user, {}).get("items")]
        self._users = (stay + others + [user for user in self._users if user not in stay])[:USERS_SHOWN]


def _figures(part: str, figures: Figures, now: float) -> str:
    p50, p99 = figures.latency()
    latency = "" if math.isnan(p50) else f" · event to list p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    left_out = f" · {figures.degraded}" if figures.degraded else ""
    return (
        f"{part}: {figures.sent:,} of {figures.total:,} events · {figures.events_per_s(now):,.0f} events/s · "
        f"{figures.lists:,} lists{latency}{left_out}"
    )


def list_panel(recommendation: Mapping[str, Any]) -> RenderableType:
    """The first items of one list, with reasons."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    for item in recommendation["items"][:ITEMS_SHOWN]:
        table.add_row(item["title"], Text(item["reason"], style="dim"))
    return Panel(table, title=f"user {recommendation['user_id']}", title_align="left")


def result_table(scores: NextEvents, figures: Figures) -> Table:
    """The last word: hits of lists and of popularity in the next purchases."""
    lists, popular = scores.lists, scores.popular
    title = f"was the next new item in the top {scores.k}? ({lists.events:,} purchases, the last 20 % of the sample)"
    table = Table(title=title, title_justify="left")
    for name in ("", "hits", f"HR@{scores.k}", "± standard error"):
        table.add_column(name, justify="left" if not name else "right")
    for name, rate in (("the user's newest list", lists), ("most popular items", popular)):
        table.add_row(name, f"{rate.hits:,}", f"{rate.rate:.4f}", f"{rate.standard_error:.4f}")
    ratio = lists.rate / popular.rate if popular.rate else float("inf")
    p50, p99 = figures.latency()
    table.caption = f"{ratio:.1f} × popularity · event to list p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    if figures.late:
        table.caption += f" · {figures.late:,} lists did not come in time, {figures.unanswered:,} of them never"
    else:
        table.caption += f" · each of the {figures.acted:,} events got its list"
    return table
