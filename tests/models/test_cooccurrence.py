"""Co-counts are Σ pairs(H_u), whatever the cut into batches; sparse results equal a plain loop."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.cooccurrence import (
    FIXED_POINT,
    count_pairs,
    distance_weights,
    lay_out,
    pack_counts,
    pair_changes,
    unpack_counts,
    within_reach,
)

Ints = NDArray[np.int64]
ITEMS = 9
WINDOW = 3

users = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=25), min_size=1, max_size=4)


def ints(values: Sequence[int]) -> Ints:
    return np.array(values, np.int64)


def naive(histories: Sequence[Sequence[int]], window: int) -> tuple[Ints, Ints, Ints]:
    """(G, C, users) by plain loops over all pairs of places."""
    g = np.zeros((ITEMS, ITEMS), np.int64)
    c = np.zeros((ITEMS, ITEMS), np.int64)
    of_item = np.zeros(ITEMS, np.int64)
    for history in histories:
        for later, item in enumerate(history):
            of_item[item] += 1
            for earlier in range(max(0, later - window), later):
                other, between = history[earlier], later - earlier - 1
                weight = round((between + 1) ** -0.75 * FIXED_POINT)
                for a, b in ((item, other), (other, item)):
                    g[a, b] += 1
                    c[a, b] += weight
    return g, c, of_item


def fold(history: list[int], events: Sequence[int], size: int) -> tuple[Ints, Ints, int]:
    """One user's events into a history of at most `size` items; what `lay_out` wants to know of the change."""
    before, new, left = list(history), [], 0
    for item in events:
        if item not in history:
            history.append(item)
            new.append(item)
            if len(history) > size:
                history.pop(0)
                left += 1
    return ints(before), ints(new), left


@given(users, st.integers(1, 7), st.integers(1, 8), st.integers(1, 10))
def test_changes_of_batches_add_up_to_the_pairs_of_the_histories(
    events: list[list[int]], window: int, size: int, batch: int
) -> None:
    histories: list[list[int]] = [[] for _ in events]
    total = np.zeros((ITEMS, ITEMS), np.int64)
    of_item = np.zeros(ITEMS, np.int64)
    for begin in range(0, 25, batch):
        folded = [
            fold(history, seen[begin : begin + batch], size) for history, seen in zip(histories, events, strict=True)
        ]
        changes = [(within_reach(before, left, window), new, left) for before, new, left in folded]
        pairs, change = pair_changes(lay_out(changes), ITEMS, window)
        assert pairs.has_canonical_format
        assert pairs.data.all()
        total += pairs.toarray()
        of_item += change
    g, c = unpack_counts(total)
    expected = naive(histories, window)
    np.testing.assert_array_equal(g, expected[0])
    np.testing.assert_array_equal(c, expected[1])
    np.testing.assert_array_equal(of_item, expected[2])


@given(users)
def test_erasing_a_user_leaves_what_the_others_made(events: list[list[int]]) -> None:
    histories = [list(dict.fromkeys(seen)) for seen in events]
    whole, of_item = count_pairs([ints(history) for history in histories], ITEMS, WINDOW)
    gone = ints(histories[0])
    erased, change = pair_changes(lay_out([(gone, ints([]), len(gone))]), ITEMS, WINDOW)
    rest, rest_of_item = count_pairs([ints(history) for history in histories[1:]], ITEMS, WINDOW)
    np.testing.assert_array_equal((whole + erased).toarray(), rest.toarray())
    np.testing.assert_array_equal(of_item + change, rest_of_item)


@given(users)
def test_the_order_of_users_does_not_matter(events: list[list[int]]) -> None:
    histories = [ints(list(dict.fromkeys(seen))) for seen in events]
    forwards, _ = count_pairs(histories, ITEMS, WINDOW)
    backwards, _ = count_pairs(histories[::-1], ITEMS, WINDOW)
    np.testing.assert_array_equal(forwards.toarray(), backwards.toarray())


def test_an_unchanged_history_changes_nothing() -> None:
    pairs, change = pair_changes(lay_out([(ints([1, 2, 3]), ints([]), 0)]), ITEMS, WINDOW)
    assert pairs.nnz == 0
    assert not change.any()


def test_no_change_at_all_is_an_empty_matrix() -> None:
    pairs, change = pair_changes(lay_out([]), ITEMS, WINDOW)
    assert pairs.shape == (ITEMS, ITEMS)
    assert pairs.nnz == 0
    assert len(change) == ITEMS


def test_what_comes_and_goes_in_one_batch_leaves_nothing() -> None:
    changes = [(ints([0, 1]), ints([]), 2), (ints([0]), ints([1]), 0)]
    pairs, change = pair_changes(lay_out(changes), ITEMS, WINDOW)
    assert pairs.nnz == 0
    assert change[:2].tolist() == [-1, 0]


def test_an_item_that_left_and_came_back_in_one_batch_is_counted_once() -> None:
    history: list[int] = [0, 1]
    change = fold(history, [2, 0], 2)
    pairs, users_changed = pair_changes(lay_out([change]), ITEMS, WINDOW)
    before, _ = count_pairs([ints([0, 1])], ITEMS, WINDOW)
    after, _ = count_pairs([ints([2, 0])], ITEMS, WINDOW)
    assert history == [2, 0]
    np.testing.assert_array_equal((before + pairs).toarray(), after.toarray())
    assert users_changed[:3].tolist() == [0, -1, 1]


@given(st.lists(st.tuples(st.integers(-(2**24), 2**24), st.integers(-(2**34), 2**34)), min_size=1, max_size=20))
def test_packed_counts_come_apart_again_also_in_sums(pairs: list[tuple[int, int]]) -> None:
    g, c = ints([pair[0] for pair in pairs]), ints([pair[1] for pair in pairs])
    packed = pack_counts(g, c)
    np.testing.assert_array_equal(unpack_counts(packed)[0], g)
    np.testing.assert_array_equal(unpack_counts(packed)[1], c)
    if abs(int(c.sum())) < 2**36 and abs(int(g.sum())) < 2**25:
        assert [int(part[0]) for part in unpack_counts(packed.sum(keepdims=True))] == [g.sum(), c.sum()]


def test_adjacent_items_weigh_one_and_farther_ones_less() -> None:
    g, c = unpack_counts(distance_weights(4))
    assert g.tolist() == [1, 1, 1, 1]
    assert c.tolist() == [1024, round(1024 * 2**-0.75), round(1024 * 3**-0.75), round(1024 * 4**-0.75)]
