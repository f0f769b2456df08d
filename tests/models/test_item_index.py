"""The catalogue as arrays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.item_index import FIRST_CAPACITY, ItemIndex


def vectors(count: int, dimension: int = 2) -> NDArray[np.float32]:
    return np.eye(dimension, dtype=np.float32)[np.arange(count) % dimension]


def test_items_keep_their_places() -> None:
    index = ItemIndex(2)
    index.put("a", "Mug", ["kitchen", "red", "kitchen"], True, "Mug")
    index.put("b", "", [], False, "")
    assert index.places(["b", "a", "nobody"]).tolist() == [1, 0, -1]
    assert (index.title("a"), index.title("b"), index.title("nobody")) == ("Mug", "b", "nobody")
    assert index.available.tolist() == [True, False]
    assert [index.category_name(n) for n in index.categories[0].tolist()] == ["kitchen", "red"]
    assert index.categories[1].tolist() == [-1, -1]
    assert index.category_numbers(["red", "blue"]).tolist() == [1, -1]
    index.remove("a")
    index.remove("nobody")
    assert index.available.tolist() == [False, False]
    index.put("a", "Mug again", [], True, "")
    assert index.places(["a"]).tolist() == [0]


def test_vectors_come_when_they_are_there() -> None:
    index = ItemIndex(2)
    index.put("a", "A", [], True, "text of a")
    index.put("b", "B", [], True, "text of b")
    index.put("c", "C", [], True, "")
    assert (index.waiting_count, index.embedded_share, index.embedded_count) == (2, 0.0, 0)
    places, texts = index.waiting(1)
    assert texts == ["text of a"]
    index.set_vectors(places, texts, vectors(1))
    assert (index.waiting_count, index.embedded_share) == (1, 0.5)
    places, texts = index.waiting(10)
    index.put("b", "B", [], True, "another text")
    index.set_vectors(places, texts, vectors(1))
    assert index.waiting(10)[1] == ["another text"], "an old text's vector is not taken for a new one"
    assert index.embedded.tolist() == [True, False, False]


def test_a_changed_text_keeps_its_old_vector_until_the_new_one_comes() -> None:
    index = ItemIndex(2)
    index.put("a", "A", [], True, "old")
    index.set_vectors(*index.waiting(1), vectors(1))
    index.put("a", "A", [], True, "new")
    assert (index.embedded_share, index.waiting_count) == (1.0, 1)
    assert index.embedded.tolist() == [True]


def test_without_a_dimension_nothing_waits() -> None:
    index = ItemIndex()
    index.put("a", "A", [], True, "text")
    assert (index.waiting_count, index.embedded_share, index.vectors.shape) == (0, 1.0, (1, 0))


def test_arrays_grow() -> None:
    index = ItemIndex(2)
    count = 3 * FIRST_CAPACITY
    for place in range(count):
        index.put(str(place), "", ["c"], place % 2 == 0, str(place))
    index.set_vectors(*index.waiting(count), vectors(count))
    assert len(index) == index.embedded_count == count
    assert index.vectors[-1].tolist() == [0, 1]
    assert index.available.sum() == count // 2


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["put", "bare", "remove", "embed"]))))
def test_counts_equal_the_arrays(steps: list[tuple[str, str]]) -> None:
    index = ItemIndex(2)
    for number, (item, step) in enumerate(steps):
        if step == "remove":
            index.remove(item)
        elif step == "embed":
            places, texts = index.waiting(1)
            index.set_vectors(places, texts, vectors(len(texts)))
        else:
            index.put(item, item, [], True, f"text {number}" if step == "put" else "")
    assert index.embedded_count == int(index.embedded.sum())
    waiting = index.waiting(100)[0]
    bare = sum(1 for place in waiting.tolist() if not index.embedded[place])
    with_text = index.embedded_count + bare
    assert index.embedded_share == (index.embedded_count / with_text if with_text else 1.0)


def test_a_vector_that_is_not_finite_counts_as_none() -> None:
    index = ItemIndex(2)
    for item in "abc":
        index.put(item, "", [], True, f"text of {item}")
    index.set_vectors(*index.waiting(1), vectors(1))
    index.put("a", "", [], True, "another text")
    broken = np.array([[np.nan, 0], [0, np.inf], [0, 1]], np.float32)
    places, texts = index.waiting(3)
    index.set_vectors(places, texts, broken[[1, 2, 0]])
    assert dict(zip(texts, index.embedded[places].tolist(), strict=True)) == {
        "text of b": False, "text of c": True, "another text": False,
    }  # fmt: skip
    assert np.isfinite(index.vectors).all()
    assert (index.waiting_count, index.embedded_count, index.embedded_share) == (0, 1, 1.0)


def test_words_weights_and_times_of_items_are_kept_and_go_with_them() -> None:
    index = ItemIndex()
    index.put("a", "", ["c"], True, "", tags=["red", "c"], added_at=5.0, weight=2.0)
    index.put("b", "", [], True, "")
    assert [[index.category_name(n) for n in row if n >= 0] for row in index.tags.tolist()] == [["red", "c"], []]
    assert index.weights.tolist() == [2.0, 1.0]
    assert index.added_at[0] == 5.0
    assert np.isnan(index.added_at[1])
    index.remove("a")
    assert (index.tags < 0).all()
    assert index.weights.tolist() == [1.0, 1.0]
    assert np.isnan(index.added_at).all()
