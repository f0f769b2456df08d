"""A picture of where time goes, from stacks that py-spy sampled.

    py-spy record --gil -F --format raw -r 200 -d 12 -o STACKS -p PID
    python -m benchmarks.flame STACKS OUT.svg [--root Worker._round]

Each box is a function, as wide as its share of the samples; what it called is below it. Frames above `--root` are left
out, and so are boxes that would be too narrow to see.
"""

import argparse
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, ROW, LETTER = 1_200, 18, 6.6
LEAST = 0.004
"""Share of the samples that a box needs."""
HUES = {"agents": 28, "models": 130}
"""Ours; whatever else is blue."""
OTHER_HUE = 215


@dataclass
class Frame:
    """A function as it was called from those above it."""

    samples: int = 0
    called: dict[str, "Frame"] = field(default_factory=dict)

    def add(self, stack: list[str], samples: int) -> None:
        """Count a stack, outermost first."""
        self.samples += samples
        if stack:
            self.called.setdefault(stack[0], Frame()).add(stack[1:], samples)


def read(path: Path, root: str) -> Frame:
    """The stacks of a file from `root` on. Raises `ValueError` if it is in none of them."""
    top = Frame()
    for line in path.read_text(encoding="utf-8").splitlines():
        frames, _, samples = line.rpartition(" ")
        stack = frames.split(";")
        place = next((place for place, frame in enumerate(stack) if frame.startswith(f"{root} ")), None)
        if place is not None:
            top.add(stack[place:], int(samples))
    if not top.samples:
        raise ValueError(f"no stack of {path} has a frame {root}")
    return top


def boxes(frame: Frame, whole: int, left: float = 0.0, depth: int = 0) -> list[tuple[str, float, float, int]]:
    """(name, left, share, depth) of what a frame called, and of what that called, left and share within 0 … 1."""
    found = []
    for name, called in sorted(frame.called.items(), key=lambda pair: -pair[1].samples):
        share = called.samples / whole
        if share >= LEAST:
            found += [(name, left, share, depth), *boxes(called, whole, left, depth + 1)]
        left += share
    return found


def drawn(top: Frame) -> str:
    """The picture as SVG."""
    found = boxes(top, top.samples)
    height = (max(depth for *_, depth in found) + 1) * ROW
    font = 'font-family="monospace" font-size="11"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {font}>']
    for name, left, share, depth in found:
        function, _, file = name.partition(" (")
        hue = HUES.get(file.partition("/")[0], OTHER_HUE)
        light = 72 + zlib.crc32(function.encode()) % 12  # neighbours differ, and the same function looks the same
        x, y, width = left * WIDTH, depth * ROW, share * WIDTH
        text = f"{function} {share:.0%}"
        shown = text if len(text) * LETTER < width else function[: int(width / LETTER)]
        parts.append(
            f"<g><title>{escape(name)} {share:.1%}</title>"
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="hsl({hue} 75% {light}%)"/>'
            f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(shown)}</text></g>'
        )
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stacks", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--root", default="Worker._round")
    arguments = parser.parse_args()
    arguments.out.write_text(drawn(read(arguments.stacks, arguments.root)), encoding="utf-8")


if __name__ == "__main__":
    main()
