"""Which items of a catalogue are new."""

from itertools import permutations

import numpy as np
import pytest

from models import new_items
from models.item_index import ItemIndex
from models.new_items import NewItems


def make_index(*ids: str, added_at: float | None = None) -> ItemIndex:
    index = ItemIndex(2)
    for item in ids:
        index.put(item, item, (), True, item, added_at=added_at)
    return index


def ids_of(new: NewItems, index: ItemIndex) -> list[str]:
    new.refresh()
    return [index.ids[place] for place in new.places.tolist()]


def test_what_nobody_took_is_new() -> None:
    index = make_index("a", "b", "c")
    new = NewItems(index, 5)
    new.taken([("b", True), ("later", True)])
    assert ids_of(new, index) == ["a", "c"]
    index.put("later", "later", (), True, "later")
    assert ids_of(new, index) == ["a", "c"]
    new.taken([("b", False)])
    assert ids_of(new, index) == ["a", "b", "c"]


def test_what_is_not_for_sale_is_not_new() -> None:
    index = make_index("a", "b")
    new = NewItems(index, 5)
    index.put("a", "a", (), False, "a")
    index.remove("b")
    assert ids_of(new, index) == []


def test_an_explored_item_stays_new_when_it_is_taken_until_it_was_shown_often_enough() -> None:
    index = make_index("a", "b")
    new = NewItems(index, 5)
    new.taken([("a", True), ("b", True)])
    new.use({"a": (1, 3), "gone": (1, 1)})
    assert ids_of(new, index) == ["a"]
    assert (new.clicks.tolist(), new.skips.tolist(), new.shown.tolist()) == ([1], [3], [4])
    new.use({"a": (1, 4)})
    assert ids_of(new, index) == []


@pytest.mark.parametrize("order", list(permutations(["a", "b", "c"]))[:4])
def test_arrays_do_not_depend_on_the_order_of_arrival(order: tuple[str, ...]) -> None:
    index = make_index(*order)
    assert ids_of(NewItems(index, 5), index) == ["a", "b", "c"]


def test_of_too_many_those_that_came_last_are_explored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_items, "MOST_NEW", 3)
    index = make_index("d", "c", "b", "a")
    index.put("z", "z", (), True, "z", added_at=7.0)
    assert ids_of(NewItems(index, 5), index) == ["a", "b", "z"]


def test_a_vector_that_comes_later_counts() -> None:
    index = make_index("a")
    new = NewItems(index, 5)
    new.refresh()
    assert not new.vectors.any()
    places, texts = index.waiting(1)
    index.set_vectors(places, texts, np.array([[1.0, 0.0]], np.float32))
    new.refresh()
    assert new.vectors.tolist() == [[1.0, 0.0]]
