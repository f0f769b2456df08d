"""What came of places that show new items: clicks and skips of each item, folded from outcomes in log order.

A place counts as skipped when its list is closed untouched, or disliked; as clicked by a click and once more by a
purchase. Only outcomes whose place was for exploring count, so that rows stay few.
"""

from collections.abc import Iterable, Mapping

from models.pool import EXPLORE

Counts = Mapping[str, tuple[int, int]]
"""Item → (clicks, skips), those that changed last at the end."""
CLICKED, SKIPPED = frozenset({"clicked", "bought"}), "skipped"


def counted(kind: str, source: str, item_id: str | None) -> tuple[str, bool] | None:
    """The item and whether it was clicked, of one outcome; None: it does not count."""
    if source != EXPLORE or not item_id or not (kind in CLICKED or kind == SKIPPED):
        return None
    return item_id, kind != SKIPPED


def after(counts: Counts, found: Iterable[tuple[str, bool]], most_bytes: int, bytes_an_item: int) -> Counts:
    """The counts with these outcomes, in order. Of too many, items that changed long ago go: they may come again.

    most_bytes: of all ids in UTF-8, with `bytes_an_item` more for each.
    """
    grown = dict(counts)
    for item, clicked in found:
        clicks, skips = grown.pop(item, (0, 0))
        grown[item] = (clicks + clicked, skips + (not clicked))
    size = sum(len(item.encode()) + bytes_an_item for item in grown)
    for item in list(grown):
        if size <= most_bytes:
            break
        size -= len(item.encode()) + bytes_an_item
        del grown[item]
    return grown
