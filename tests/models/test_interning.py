"""Ids as numbers."""

from models.interning import Interner


def test_numbers_follow_first_sight_and_never_change() -> None:
    items = Interner(["x"])
    assert items.numbers(["a", "x", "a", "b"]).tolist() == [1, 0, 1, 2]
    assert items.number("b") == 2
    assert items.ids == ["x", "a", "b"]
    assert len(items) == 3


def test_asking_for_a_known_id_adds_nothing() -> None:
    items = Interner()
    assert items.known("a") is None
    assert "a" not in items
    assert len(items) == 0
