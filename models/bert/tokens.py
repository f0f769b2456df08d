"""Token ids of texts, kept; and how a model wants the ids of one or two texts joined. No torch here."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bert.folder import ModelError

Ids = NDArray[np.int32]
Texts = tuple[str, ...]
"""What is scored together: one text, or two."""

CACHE_BYTES = 128 * 1024**2
"""About 300,000 titles with their ids."""
ENTRY_BYTES = 250
"""What Python and numpy need for an entry besides the text and the ids (measured, rounded up)."""


class TokenCache:
    """Token ids by text, without special tokens; the texts used longest ago go first. For one thread at a time.

    `hits` and `misses` count texts that were asked for; only misses are tokenised.
    """

    def __init__(
        self, tokenize: Callable[[list[str]], Sequence[Sequence[int]]], limit_bytes: int = CACHE_BYTES
    ) -> None:
        """`tokenize` gives the ids of texts, whole and without special tokens: how a pair is cut is known later."""
        self._tokenize, self._limit = tokenize, limit_bytes
        self._kept: OrderedDict[str, Ids] = OrderedDict()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    def ids(self, texts: Iterable[str]) -> dict[str, Ids]:
        """The ids of each different text, int32."""
        wanted = dict.fromkeys(texts)
        found: dict[str, Ids] = {}
        for text in wanted:
            if (ids := self._kept.get(text)) is not None:
                self._kept.move_to_end(text)
                found[text] = ids
        new = [text for text in wanted if text not in found]
        self.hits += len(found)
        self.misses += len(new)
        if new:
            for text, tokens in zip(new, self._tokenize(new), strict=True):
                found[text] = np.asarray(tokens, np.int32)
                self._kept[text] = found[text]
                self.bytes += _size(text, found[text])
            self._shrink()
        return found

    def forget(self, texts: Iterable[str]) -> None:
        """Drop texts that will not come again, such as the old text of an item that changed."""
        for text in texts:
            ids = self._kept.pop(text, None)
            if ids is not None:
                self.bytes -= _size(text, ids)

    def _shrink(self) -> None:
        while self.bytes > self._limit and self._kept:
            text, ids = self._kept.popitem(last=False)
            self.bytes -= _size(text, ids)


def _size(text: str, ids: Ids) -> int:
    return sys.getsizeof(text) + ids.nbytes + ENTRY_BYTES


@dataclass(frozen=True)
class Joiner:
    """The special tokens around one text and around two: `before one after`, `before first between second after`.

    BERT: `[CLS] first [SEP] second [SEP]` with token types 0 up to the first `[SEP]`, then 1; RoBERTa and XLM-R:
    `<s> first </s></s> second </s>`, all of type 0.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    before_one: tuple[int, ...]
    after_one: tuple[int, ...]
    second_type: int

    def join(self, parts: Sequence[Ids], most: int) -> tuple[Ids, int]:
        """The ids of one input of at most `most` tokens, and how many of them are of type 0.

        Two texts are cut as the library tokenizers does with `longest_first`: the longer one first, then both alike,
        of which the longer keeps an odd token.
        """
        if len(parts) == 1:
            room = most - len(self.before_one) - len(self.after_one)
            one = np.concatenate([self.before_one, parts[0][:room], self.after_one]).astype(np.int32)
            return one, len(one)
        first, second = parts
        keep_first, keep_second = longest_first(len(first), len(second), most - self.special)
        head = (self.before, first[:keep_first], self.between)
        ids = np.concatenate([*head, second[:keep_second], self.after]).astype(np.int32)
        return ids, sum(map(len, head)) if self.second_type else len(ids)

    @property
    def special(self) -> int:
        """Special tokens of a pair."""
        return len(self.before) + len(self.between) + len(self.after)


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of each of two texts are kept (tokenizers, `TruncationStrategy::LongestFirst`)."""
    if first + second <= room:
        return first, second
    short, long = min(first, second), max(first, second)
    long = min(long, max(short, room - short)) if short <= room else short
    if short + long > room:
        short = room // 2
        long = short + room % 2
    return (long, short) if first > second else (short, long)


def read_joiner(tokenizer: Any) -> Joiner:
    """How this tokenizer of transformers joins, found out by two words. Raises ModelError if that cannot be told."""
    alone = [list(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in ("red", "mug")]
    one, two = tokenizer("red"), tokenizer("red", "mug")
    whole, single = list(two["input_ids"]), list(one["input_ids"])
    first = _position(alone[0], whole, 0)
    second = _position(alone[1], whole, first + len(alone[0]))
    at = _position(alone[0], single, 0)
    types = list(two.get("token_type_ids") or [0] * len(whole))
    joiner = Joiner(
        before=tuple(whole[:first]),
        between=tuple(whole[first + len(alone[0]) : second]),
        after=tuple(whole[second + len(alone[1]) :]),
        before_one=tuple(single[:at]),
        after_one=tuple(single[at + len(alone[0]) :]),
        second_type=int(types[second]),
    )
    ids, of_first = joiner.join([np.asarray(ids, np.int32) for ids in alone], len(whole))
    if ids.tolist() != whole or types != [0] * of_first + [1] * (len(whole) - of_first):
        raise ModelError("the tokenizer joins two texts in a way that is not known here")
    return joiner


def _position(part: list[int], whole: list[int], start: int) -> int:
    for at in range(start, len(whole) - len(part) + 1):
        if whole[at : at + len(part)] == part:
            return at
    raise ModelError("the tokenizer gives a text other tokens in a pair than alone")
