"""Runs of programs put together: medians, spread, ratios; and the table of them."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.update.programs import FAUST, KSTREAMS_EXACTLY_ONCE, PRODUCT

TARGETS = {f"of {KSTREAMS_EXACTLY_ONCE}": 3.0, "of the fastest peer": 2.0, f"of {FAUST}": 40.0}
"""What the product aims at: so many times the events per second."""
MEMORY = "memory"
MEDIANS = ("events_per_s", "cpu_us_per_event", "broker_cpu_us_per_event", "changelog_bytes_per_event")

Figures = dict[str, Any]


def summary(runs: Sequence[Figures], guarantee: str) -> Figures:
    """Median of each figure over the runs of one program; the largest memory."""
    rates = [run["events_per_s"] for run in runs]
    figures: Figures = {name: median(run[name] for run in runs) for name in MEDIANS}
    figures["events_per_s"] = round(figures["events_per_s"])
    figures["spread"] = round((max(rates) - min(rates)) / figures["events_per_s"], 3)
    figures["peak_mb"] = max(run["peak_mb"] for run in runs)
    return {"guarantee": guarantee, **figures, "runs": list(runs)}


def ratios(programs: Mapping[str, Figures]) -> dict[str, float]:
    """The product's events per second in those of others, as far as they were measured; and its memory in theirs."""
    if PRODUCT not in programs:
        return {}
    own = programs[PRODUCT]
    peers = {name: figures for name, figures in programs.items() if name != PRODUCT}
    found = {f"of {name}": own["events_per_s"] / figures["events_per_s"] for name, figures in peers.items()}
    if found:
        found["of the fastest peer"] = min(found.values())
    if KSTREAMS_EXACTLY_ONCE in peers:
        found[f"{MEMORY} of {KSTREAMS_EXACTLY_ONCE}"] = own["peak_mb"] / peers[KSTREAMS_EXACTLY_ONCE]["peak_mb"]
    return {name: round(ratio, 2) for name, ratio in found.items()}


def table_of(programs: Mapping[str, Figures]) -> Table:
    """A line for each program."""
    table = Table(title="profile update, CPU and changelog per event")
    for column in ("program", "guarantee"):
        table.add_column(column, no_wrap=True)
    for column in ("events/s", "spread", "CPU µs", "broker's µs", "peak MB", "changelog B"):
        table.add_column(column, justify="right")
    for name, figures in sorted(programs.items(), key=lambda entry: -entry[1]["events_per_s"]):
        table.add_row(
            name,
            figures["guarantee"],
            f"{figures['events_per_s']:,}",
            f"{figures['spread']:.0%}",
            f"{figures['cpu_us_per_event']:.1f}",
            f"{figures['broker_cpu_us_per_event']:.1f}",
            f"{figures['peak_mb']:,}",
            f"{figures['changelog_bytes_per_event']:,.0f}" if figures["changelog_bytes_per_event"] else "none",
        )
    return table


def lines_of(found: Mapping[str, float]) -> list[str]:
    """A line for each ratio, with what is aimed at."""
    lines = []
    for name, ratio in found.items():
        of_memory = name.startswith(MEMORY)
        what = f"the {name}" if of_memory else f"the events/s {name}"
        aim = " (aim: below 1)" if of_memory else f" (aim: {TARGETS[name]:g})" if name in TARGETS else ""
        lines.append(f"{PRODUCT} has {ratio:g} × {what}{aim}")
    return lines
