"""What `profilestream evaluate` prints for people."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

COLD_METHODS = 3
"""So many fit beside each other: ours, popularity and one more."""


def show(told: dict[str, Any]) -> None:
    """Lists before each event: methods side by side."""
    title = f"{told['data']}: {told['compared']:,} of {told['tested']:,} events compared, {told['trained']:,} before"
    measures = [figure for figure in told["methods"]["profilestream"] if not figure.startswith("Recall")]
    table = _table(title, "method", *measures, "cover")
    for method, estimates in told["methods"].items():
        coverage = f"{told['spread'][method]['coverage']:.1%}"
        table.add_row(method, *(_text(estimates[figure]) for figure in measures), coverage)
    console = Console()
    console.print(table)
    console.print(
        f"± is a standard error over users; cover: share of {told['items']:,} items that were in some list. Ours: Gini "
        f"of their places {told['gini']:.3f}, novelty {told['novelty_bits']:.1f} bits."
        + "".join(f" {name} {told[name][0]:.3f}." for name in ("diversity", "miscalibration") if name in told)
    )
    if "ranker" in told:
        console.print(_of_ranker(told["ranker"]))
    _show_cold(told, console)


def _of_ranker(ranker: dict[str, Any]) -> str:
    """What feedback taught."""
    return (
        f"The ranker learned from {ranker['choices']:,} choices; by its weights they are {_text(ranker['gain'])} nats "
        f"likelier than by the blend's; in use: {'yes' if ranker['active'] else 'no'}."
    )


def _show_cold(told: dict[str, Any], console: Console) -> None:
    """Ours, popularity and the first other by the items that users had, and by how new the item was."""
    methods = list(told["methods"])[:COLD_METHODS]
    cut = next(iter(told["methods"]["profilestream"]))
    table = _table(f"{cut} by items in the history, and by item", "", "events", *methods)
    for kind, words in (("cold_users", "history of {}"), ("cold_items", "item {}")):
        for name, found in told[kind].items():
            rates = (_text(found[cut][method]) for method in methods)
            table.add_row(words.format(name), f"{found['events']:,}", *rates)
    console.print(table)
    first = told["first_items"]["ahead_at"]
    at = "at no history of up to 20 items" if first is None else f"first at a history of {first}"
    new = told["first_items"]["new_users"]
    console.print(f"Ahead of popularity for sure (95 %) {at}." + (_of_new_users(new) if new["users"] else ""))


def _of_new_users(new: dict[str, Any]) -> str:
    enough = ", ".join(f"{share:.0%} after {count}" for count, share in new["ahead_within"].items())
    middle = "no number of" if new["median_events"] is None else f"{new['median_events']:g}"
    return f" The median of {new['users']:,} new users needs {middle} events for that, by nDCG so far: {enough}."


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


def show_cold_items(told: dict[str, Any]) -> None:
    """Lists for those who took withheld items, and for the others."""
    events = told["events"]
    title = f"{told['data']}: {told['withheld']:,} items withheld, {events['cold']:,} events, {told['seeds']} seeds"
    cuts = list(next(iter(told["cold"].values())))
    table = _table(title, "list", *cuts, "× fresh", f"others {cuts[0]}")
    for method, rates in told["cold"].items():
        ratio = told[f"{cuts[0]}_to_fresh"].get(method)
        known = told["known"][method][cuts[0]]
        others = _text(known) if known[0] else ""  # lists of new items alone have no others
        table.add_row(method, *(_text(rates[cut]) for cut in cuts), "" if ratio is None else f"{ratio:.1f}", others)
    console = Console()
    console.print(table)
    console.print(
        f"± is a standard error over users; others: {events['known']:,} events with other items. fresh: the "
        f"{told['new_items']:,.0f} items that nobody took, in random order; new items only: these, as places for new "
        "items show them."
    )


def show_ratings(told: dict[str, Any]) -> None:
    """Errors of predicted ratings: means over the splits."""
    title = f"{told['data']}: {told['ratings']:,} ratings, {told['split']:.0%} train, {len(told['runs'])} splits"
    table = _table(title, "method", "RMSE", "MAE")
    for method, figures in told["methods"].items():
        table.add_row(method, *map(_text, figures.values()))
    console = Console()
    console.print(table)
    console.print(
        "Weighted averages over the 40 nearest items of the user, or users of the item; means over the splits, ± is "
        "their standard error."
    )


def _table(title: str, first: str, *figures: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _text(estimate: list[float | None]) -> str:
    value, error = estimate
    text = "–" if value is None else _short(value)
    return text if error is None else f"{text} ±{_short(error)}"


def _short(number: float) -> str:
    """Three digits, without the 0 before the point."""
    text = f"{number:.3f}"
    return text[1:] if text.startswith("0.") else text
