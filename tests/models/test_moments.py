"""Events told apart by what was known."""

from models.moments import Moments


def test_events_by_history_and_by_item() -> None:
    moments = Moments()
    for number, (history, taken, trained) in enumerate(
        [(1, 0, False), (2, 3, False), (5, 9, True), (6, 9, True), (20, 9, True), (21, 9, True)]
    ):
        moments.add(number, history, taken, trained)
    assert {name: which.tolist() for name, which in moments.cold_users().items()} == {
        "1": [True, False, False, False, False, False],
        "2": [False, True, False, False, False, False],
        "3–5": [False, False, True, False, False, False],
        "6–20": [False, False, False, True, True, False],
        "21+": [False, False, False, False, False, True],
    }
    assert {name: int(which.sum()) for name, which in moments.cold_items().items()} == {
        "never taken": 1,
        "new since training": 1,
        "older": 4,
    }
    assert list(moments.lengths()) == [1, 2, 5, 6, 20], "longer ones are no first items"
