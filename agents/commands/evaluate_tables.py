"""What `profilestream evaluate` prints for people."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def show(told: dict[str, Any]) -> None:
    """Lists before each event: methods side by side."""
    title = f"{told['data']}: {told['compared']:,} of {told['tested']:,} events compared, {told['trained']:,} before"
    table = _table(title, "method", *told["methods"]["profilestream"], "cover")
    for method, estimates in told["methods"].items():
        table.add_row(method, *map(_text, estimates.values()), f"{told['spread'][method]['coverage']:.1%}")
    console = Console()
    console.print(table)
    console.print(
        f"± is a standard error over users; cover: share of {told['items']:,} items that were in some list. Ours: Gini "
        f"of their places {told['gini']:.3f}, novelty {told['novelty_bits']:.1f} bits."
    )


def show_splits(told: dict[str, Any]) -> None:
    """Lists on random splits: means over the splits."""
    seeds = len(told["runs"])
    title = (
        f"{told['data']}: {told['split']:.0%} of each user's items train, {seeds} splits, {told['users'][0]:,} users"
    )
    measures = [figure for figure in told["methods"]["profilestream"] if "@" in figure]
    table = _table(title, "method", *measures, "cover")
    for method, figures in told["methods"].items():
        table.add_row(method, *(_text(figures[measure]) for measure in measures), f"{figures['coverage'][0]:.1%}")
    console = Console()
    console.print(table)
    console.print("Means over the splits; ± is their standard error.")
    for figure, ratio in told.items():
        if figure.endswith("_to_ease") and ratio["runs"]:
            each = ", ".join(f"{one:.3f}" for one in ratio["runs"])
            console.print(f"{figure.removesuffix('_to_ease')} ÷ that of EASE: {_text(ratio['mean'])} ({each})")


def _table(title: str, first: str, *figures: str) -> Table:
    table = Table(first, title=title, box=box.SIMPLE_HEAD)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _text(estimate: list[float | None]) -> str:
    value, error = estimate
    text = "–" if value is None else f"{value:.3f}"
    return text if error is None else f"{text} ±{error:.3f}".replace("±0.", "±.")
