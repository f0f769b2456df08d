"""Ids as numbers."""

from hypothesis import given
from hypothesis import strategies as st

from models import interning
from models.interning import Interner

IDS = st.lists(st.text(max_size=3), max_size=60)


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
    assert items.find(["a"]).tolist() == [-1]
    assert len(items) == 0


@given(st.lists(st.tuples(st.booleans(), IDS), max_size=8))
def test_many_ids_at_once_get_what_one_after_the_other_gets(asked: list[tuple[bool, list[str]]]) -> None:
    items, plain = Interner(["first"]), {"first": 0}
    for add, ids in asked:
        if add:
            expected = [plain.setdefault(id_, len(plain)) for id_ in ids]
            assert items.numbers(ids).tolist() == expected
        assert items.find(ids).tolist() == [plain.get(id_, -1) for id_ in ids]
        assert items.ids == list(plain)


def test_a_catalogue_that_grows_is_found_again() -> None:
    items = Interner()
    for size in (10, 1_000, 50_000):
        ids = [f"i{number}" for number in range(size)]
        assert items.numbers(ids).tolist() == list(range(size))
        assert items.find([*ids, "unknown"]).tolist() == [*range(size), -1]


class _SameHash(str):
    """Ids that all have one hash, as two strings out of 2^64 may."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7


def test_ids_of_one_hash_stay_apart() -> None:
    ids = [_SameHash(f"i{number}") for number in range(interning.FEW + 1)]
    items = Interner()
    assert items.numbers(ids).tolist() == list(range(len(ids)))
    assert items.find(ids[::-1]).tolist() == list(range(len(ids)))[::-1]
