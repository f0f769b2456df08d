"""Items at fixed places."""

from hypothesis import given
from hypothesis import strategies as st

from models.rules.pins import with_pins


@given(st.integers(1, 8), st.data())
def test_pins_are_at_their_places_and_the_others_keep_their_order(k: int, data: st.DataObject) -> None:
    positions = data.draw(st.lists(st.integers(0, k - 1), max_size=k))
    pins = [(position, f"pin{number}") for number, position in enumerate(positions)]
    others = [f"other{number}" for number in range(data.draw(st.integers(0, k - len(pins))))]
    made = with_pins(others, pins, k)
    assert sorted(made) == sorted([*others, *(pin for _, pin in pins)]), "nothing is lost"
    assert [one for one in made if one in others] == others
    if len(made) == k:
        for number, (position, pin) in enumerate(pins):
            if position not in positions[:number] and len(set(positions)) == len(positions):
                assert made[position] == pin


def test_two_for_one_place_stand_one_after_the_other() -> None:
    assert with_pins(["a", "b"], [(1, "x"), (1, "y")], 4) == ["a", "x", "y", "b"]
    assert with_pins(["a", "b"], [(3, "x"), (3, "y")], 4) == ["a", "b", "y", "x"]


def test_a_pin_beyond_the_others_moves_up() -> None:
    assert with_pins(["a"], [(4, "x")], 9) == ["a", "x"]
    assert with_pins([], [(4, "x"), (2, "y")], 9) == ["y", "x"]
