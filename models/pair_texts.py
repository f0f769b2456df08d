"""The two texts that a cross-encoder reads: what the user had to do with, and an item."""

from collections.abc import Sequence

NEWEST = 5
"""Titles of a profile text: more make a pair dearer, and a model of short texts cuts them."""
NOT = "not: "
"""Begins the line of a title that the user did not like."""


def profile_text(titles: Sequence[str], disliked: Sequence[str] = (), most: int = NEWEST) -> str:
    """The newest `most` titles, one a line, the newest last; then those disliked. Both: newest first."""
    lines = [item_text(title) for title in reversed(titles[:most])]
    return "\n".join([*lines, *(NOT + item_text(title) for title in reversed(disliked[:most]))])


def item_text(title: str) -> str:
    """A title on one line."""
    return " ".join(title.split())


def liked(profile: str) -> list[str]:
    """The titles of a profile text, without those that were not liked."""
    return [line for line in profile.split("\n") if line.strip() and not line.startswith(NOT)]
