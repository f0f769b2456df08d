"""Token ids: what is kept, what is tokenised, and how two texts are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bert.tokens import ENTRY_BYTES, Joiner, TokenCache, longest_first

tokenizers = pytest.importorskip("tokenizers")


class Letters:
    """A token for each letter; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: list[str]) -> list[list[int]]:
        self.asked += texts
        return [[ord(letter) for letter in text] for text in texts]


def test_a_text_is_tokenised_once() -> None:
    letters = Letters()
    cache = TokenCache(letters)
    assert cache.ids(["ab", "c", "ab"])["ab"].tolist() == [97, 98]
    cache.ids(["c", "d", "ab"])
    assert letters.asked == ["ab", "c", "d"]
    assert (cache.hits, cache.misses, len(cache)) == (2, 3, 3)


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = TokenCache(Letters(), limit_bytes=3 * (ENTRY_BYTES + 60))
    cache.ids(["a", "b", "c"])
    cache.ids(["a"])
    cache.ids(["d"])
    cache.ids(["a", "c", "d"])
    assert cache.misses == 4
    cache.ids(["b"])
    assert cache.misses == 5


def test_the_budget_holds_also_for_more_texts_than_fit() -> None:
    cache = TokenCache(Letters(), limit_bytes=2_000)
    found = cache.ids([f"text {number}" for number in range(100)])
    assert len(found) == 100
    assert 0 < cache.bytes <= 2_000
    assert 0 < len(cache) < 10


def test_a_forgotten_text_is_tokenised_again() -> None:
    cache = TokenCache(Letters())
    cache.ids(["a", "b"])
    cache.forget(["a", "never seen"])
    cache.ids(["a", "b"])
    assert (cache.hits, cache.misses) == (1, 3)
    cache.forget(["a", "b"])
    assert cache.bytes == 0


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_two_texts_are_cut_as_by_the_library(first: int, second: int, room: int) -> None:
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel({"x": 0, "[UNK]": 1}, unk_token="[UNK]"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    model.enable_truncation(room, strategy="longest_first")
    types = model.encode("x " * first, "x " * second).type_ids
    assert longest_first(first, second, room) == (types.count(0), types.count(1))


def test_types_and_special_tokens_are_joined_in() -> None:
    joiner = Joiner((101,), (102,), (103,), (101,), (102,), 1)
    first, second = np.array([1, 2, 3], np.int32), np.array([7], np.int32)
    ids, of_first = joiner.join([first, second], 10)
    assert (ids.tolist(), of_first) == ([101, 1, 2, 3, 102, 7, 103], 5)
    ids, _ = joiner.join([first, second], 6)
    assert ids.tolist() == [101, 1, 2, 102, 7, 103]
    ids, of_first = joiner.join([first], 4)
    assert (ids.tolist(), of_first) == ([101, 1, 2, 102], 4)
