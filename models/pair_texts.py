"""The two texts that a cross-encoder reads: what the user had to do with, and an item."""

from collections.abc import Sequence

NEWEST = 5
"""Titles of a profile text: more make a pair dearer, and a model of short texts cuts them."""


def profile_text(titles: Sequence[str]) -> str:
    """The newest titles, one a line, the newest last. `titles`: newest first."""
    return "\n".join(title.strip() for title in reversed(titles[:NEWEST]))
