"""The reason of an item in a list, as a sentence for people. It speaks of the source with the largest share alone."""

from collections.abc import Callable
from typing import NamedTuple

LONGEST_TITLE = 80


class Grounds(NamedTuple):
    """What may be said about one item of a list."""

    because: str | None = None
    """Title (or id) of the item of the history that spoke most for it."""
    action: str = ""
    """What the user did with that item, such as "bought"; empty: not known."""
    category: str = ""
    """The item's category that fits; empty: none."""
    query: str = ""
    """What the user searched for, if the search speaks for the item more than the history does."""


def reason(source: str, grounds: Grounds) -> str:
    """The sentence for an item whose leading source is `source`."""
    return _SENTENCES.get(source, _other)(grounds)


def _item_cf(grounds: Grounds) -> str:
    if not grounds.because:
        return "goes with what you chose before"
    if not grounds.action:
        return f"goes with {shorten(grounds.because)}"
    return f"because you {grounds.action} {shorten(grounds.because)}"


def _interest(grounds: Grounds) -> str:
    return f"matches your interest in {shorten(grounds.category)}" if grounds.category else "matches your interests"


def _fresh(grounds: Grounds) -> str:
    return f"new in {shorten(grounds.category)}" if grounds.category else "new in the catalogue"


def _content(grounds: Grounds) -> str:
    if grounds.query:
        return f"matches your search for {shorten(grounds.query)}"
    return "similar to what you looked at"


def _other(_: Grounds) -> str:
    return "chosen for you"


_SENTENCES: dict[str, Callable[[Grounds], str]] = {
    "item_cf": _item_cf,
    "ridge": _item_cf,
    "user_cf": lambda _: "popular with people who like what you like",
    "popular": lambda _: "popular right now",
    "segment": lambda _: "popular with people like you",
    "interest": _interest,
    "fresh": _fresh,
    "content": _content,
    "bert": lambda _: "fits what you looked at lately",
    "rule": lambda _: "picked by the shop",
    "explore": lambda _: "new in the catalogue",
    "request": lambda _: "one of those asked for",
}


def shorten(words: str) -> str:
    """At most `LONGEST_TITLE` letters of `words`, on one line."""
    line = " ".join(words.split())
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1].rstrip() + "…"
