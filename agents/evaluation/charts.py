"""Line charts as inline SVG: nothing is fetched, and they print."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 340, 56, 16, 12, 44
"""Of a chart and its margins, in pixels."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d00", "#777777")
"""Told apart by most people with impaired colour vision (Okabe and Ito 2008)."""
TICKS = 5

Point = tuple[float, float, float]
"""x, y and the standard error of y, 0 for none."""


def line_chart(
    series: Mapping[str, Sequence[Point]], x_ticks: Sequence[tuple[float, str]], x_title: str, y_title: str, dots: bool
) -> str:
    """One line for each series in the order given, with a legend; `dots`: mark points and their standard errors."""
    points = [point for line in series.values() for point in line]
    x_most = max([x for x, _ in x_ticks] + [x for x, _, _ in points], default=1.0) or 1.0
    y_most = max([y + error for _, y, error in points], default=1.0) or 1.0

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / x_most

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(y, 0.0), y_most) / y_most

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_title)} by {escape(x_title)}">']
    for step in range(TICKS + 1):
        y = y_most * step / TICKS
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{down(y) + 4:.1f}" text-anchor="end">{y:.2f}</text>')
    for x, label in x_ticks:
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - 26}" text-anchor="middle">{escape(label)}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_title)}</text>'
    )
    for number, line in enumerate(series.values()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y, _ in line)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        for x, y, error in line if dots else ():
            parts.append(f'<circle fill="{colour}" cx="{across(x):.1f}" cy="{down(y):.1f}" r="3"/>')
            parts.append(
                f'<line stroke="{colour}" x1="{across(x):.1f}" x2="{across(x):.1f}" y1="{down(y - error):.1f}" '
                f'y2="{down(y + error):.1f}"/>'
            )
    legend = "".join(
        f'<span><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escape(name)}</span>'
        for number, name in enumerate(series)
    )
    return f'<figure><p class="legend">{legend}</p>{"".join(parts)}</svg></figure>'
