"""The figures of an evaluation as one HTML page that needs nothing else."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from agents.evaluation.charts import Point, line_chart
from agents.evaluation.report import OURS

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #8884; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tr.ours { font-weight: 600; }
small { color: #777; font-weight: 400; }
figure { margin: 0; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; } .grid { stroke: #8884; }
.legend span { margin-right: 1rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem; }
"""
LORENZ = (
    "Share of all places in lists that go to the least shown items (Lorenz curve). A straight line would be all items "
    "alike; the lower a curve, the more a few items have."
)


def page(told: dict[str, Any]) -> str:
    """`told`: what `profilestream evaluate --json` prints, of lists, splits or ratings."""
    name = escape(str(told["data"]))
    sections = [f"<h1>{name}</h1>", f"<p>{escape(_what(told))}</p>", _methods(told)]
    if "cold_users" in told:
        sections += _cold(told)
    if curves := told.get("exposure_curves"):
        lines: dict[str, list[Point]] = {
            method: [(place / (len(curve) - 1), share, 0.0) for place, share in enumerate(curve)]
            for method, curve in curves.items()
        }
        ticks = [(step / 5, f"{step / 5:.0%}") for step in range(6)]
        chart = line_chart(lines, ticks, "share of items, least shown first", "share of places", dots=False)
        sections += [
            "<h2>Which items lists show</h2>",
            f"<p>{LORENZ}</p>",
            chart,
        ]
    if said := _ratio(told):
        sections.append(said)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head><body>{''.join(sections)}</body></html>\n"
    )


def _what(told: dict[str, Any]) -> str:
    if "compared" in told:
        return (
            f"{told['compared']:,} of {told['tested']:,} events compared, after {told['trained']:,} that only trained. "
            "Before each event each method is asked for a list; counted is where the item was that the user took. "
            "± is a standard error over users."
        )
    kind = f"{told['ratings']:,} ratings" if "ratings" in told else "Items"
    return (
        f"{kind}: {told['split']:.0%} train, the others are held back, in {len(told['runs'])} random splits. "
        "± is a standard error over splits."
    )


def _methods(told: dict[str, Any]) -> str:
    figures = list(dict.fromkeys(figure for found in told["methods"].values() for figure in found))
    rows = [
        (method, [*(_estimate(found.get(figure)) for figure in figures), *_spread(told, method)])
        for method, found in told["methods"].items()
    ]
    return _table(["method", *figures, *(["coverage", "novelty, bits", "Gini"] if "spread" in told else [])], rows)


def _spread(told: dict[str, Any], method: str) -> list[str]:
    if "spread" not in told:
        return []
    spread = told["spread"][method]
    return [f"{spread['coverage']:.1%}", f"{spread['novelty_bits']:.1f}", f"{spread['gini']:.3f}"]


def _cold(told: dict[str, Any]) -> list[str]:
    bands, methods = told["cold_users"], list(told["methods"])
    cut = next(iter(told["methods"][OURS]))
    lines: dict[str, list[Point]] = {
        method: [
            (float(place), found[cut][method][0] or 0.0, found[cut][method][1] or 0.0)
            for place, found in enumerate(bands.values())
        ]
        for method in methods
    }
    chart = line_chart(
        lines, list(zip(map(float, range(len(bands))), bands, strict=True)), "items in history", cut, True
    )
    first = told["first_items"]["ahead_at"]
    ahead = f"First at {first}" if first else "At no length up to 20"
    rows = [
        (f"{kind} {name}", [f"{found['events']:,}", *(_estimate(found[cut][method]) for method in methods)])
        for kind, part in (("items in history:", bands), ("item", told["cold_items"]))
        for name, found in part.items()
    ]
    return [
        "<h2>New users and new items</h2>",
        f"<p>{cut} by how many items the user had. {ahead} the lists are ahead of popularity for sure (95 %).</p>",
        chart,
        _table(["", "events", *methods], rows),
    ]


def _ratio(told: dict[str, Any]) -> str:
    for figure, ratio in told.items():
        if figure.endswith("_to_ease") and ratio["runs"]:
            return f"<p>{escape(figure.removesuffix('_to_ease'))} ÷ that of EASE: {_estimate(ratio['mean'])}</p>"
    return ""


def _table(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Names are escaped; cells are HTML."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(
        f"<tr{' class=ours' if name == OURS else ''}><td>{escape(name)}</td>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for name, cells in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _estimate(estimate: Sequence[float | None] | None) -> str:
    value, error = estimate or (None, None)
    text = "–" if value is None else f"{value:.3f}"
    return text if error is None else f"{text} <small>±{error:.3f}</small>"
