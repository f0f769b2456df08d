"""Inputs from valid records: bytes changed, and values changed where the format stays whole."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

RANDOM_SHARE = 0.05
"""Inputs that are random bytes."""
STRUCTURED_SHARE = 0.6
"""Inputs whose values are changed, the format kept: they come deeper."""
MOST_CHANGES = 4
LONG = 70_000

_NUMBERS = (0, -1, 1, 127, 128, 255, 2**31, -(2**31) - 1, 2**37, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1)
_FLOATS = (0.5, -0.0, 1e308, -1e308, 5e-324, 1e11, float("nan"), float("inf"), float("-inf"))
_TEXTS = (
    "",
    "a",
    "\x00",
    "\x7f",
    "\x9b",
    "ü" * 129,
    "x" * 256,
    "x" * 257,
    "🙂",
    "\u2028",
    "purchase",
    "rate",
    "search",
)
_ODD_JSON = (b"1e999", b"-1e999", b"NaN", b"1" * 400, b'"\\ud800"', b'"\\u0000"', b"{}", b"[]", b"null", b"[" * 2_000)
_HANDED_ON = 0.7

Make = Callable[[random.Random], bytes]


def inputs(seeds: Sequence[bytes], *, packed: bool) -> Make:
    """A maker of inputs from these valid records; `packed`: one version byte and msgpack, else JSON."""
    read: Callable[[bytes], Any] = (lambda value: msgspec.msgpack.decode(value[1:])) if packed else json.loads
    trees = [read(seed) for seed in seeds]
    heads = [seed[:1] for seed in seeds]

    def make(chance: random.Random) -> bytes:
        kind = chance.random()
        if kind < RANDOM_SHARE:
            return (heads[0] if packed and chance.random() < 0.5 else b"") + chance.randbytes(chance.randrange(60))
        place = chance.randrange(len(seeds))
        if kind < RANDOM_SHARE + STRUCTURED_SHARE:
            tree = trees[place]
            for _ in range(chance.randint(1, MOST_CHANGES)):
                tree = _changed(tree, chance)
            return heads[place] + msgspec.msgpack.encode(tree) if packed else _json(tree, chance)
        value = seeds[place]
        for _ in range(chance.randint(1, MOST_CHANGES)):
            value = _damaged(value, chance, seeds)
        return value

    return make


def _changed(tree: Any, chance: random.Random) -> Any:
    """The tree with one value, key or entry changed; the original stays as it is."""
    if isinstance(tree, dict) and tree and chance.random() < _HANDED_ON:
        key = chance.choice(list(tree))
        kind = chance.random()
        if kind < 0.1:
            return {name: value for name, value in tree.items() if name != key}
        if kind < 0.2:
            return {**tree, chance.choice(_TEXTS): chance.choice(list(tree.values()))}
        return {**tree, key: _changed(tree[key], chance)}
    if isinstance(tree, list) and tree and chance.random() < _HANDED_ON:
        at = chance.randrange(len(tree))
        kind = chance.random()
        if kind < 0.1:
            return tree[:at] + tree[at + 1 :]
        if kind < 0.2:
            return tree[:at] + [chance.choice(tree)] * chance.choice((1, 2, 120)) + tree[at:]
        return [*tree[:at], _changed(tree[at], chance), *tree[at + 1 :]]
    if isinstance(tree, bytes) and chance.random() < _HANDED_ON:
        return _damaged(tree, chance, (tree,))
    if isinstance(tree, (int, float)) and not isinstance(tree, bool) and chance.random() < 0.3:
        return tree + chance.choice((-1, 1, 0.5)) if abs(tree) < 2**62 else 0
    return _odd(chance)


def _odd(chance: random.Random) -> Any:
    """A value that nobody expects here."""
    kind = chance.randrange(8)
    if kind == 0:
        return chance.choice(_NUMBERS)
    if kind == 1:
        return chance.choice(_FLOATS)
    if kind == 2:
        return chance.choice(_TEXTS)
    if kind == 3:
        return chance.choice((chance.randbytes(chance.randrange(12)), b"9" * 5_000, b"-1", b"\x1b[2J"))
    if kind == 4:
        return chance.choice((None, True, False, [], {}, [[]], {"a": {}}))
    if kind == 5 and chance.random() < 0.02:
        return "y" * LONG
    return chance.choice(("u", "a", 1, 2.5, ["a"], {"a": 1.0}))


def _json(tree: Any, chance: random.Random) -> bytes:
    """The tree as JSON, as lenient writers write it (NaN, lone surrogates), now and then with odd tokens."""
    text = json.dumps(tree, default=lambda value: value.decode("latin-1"), ensure_ascii=chance.random() < 0.5)
    value = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.05:
        cut = value.find(b":", chance.randrange(len(value) or 1)) + 1
        end = min((at for at in (value.find(b",", cut), value.find(b"}", cut)) if at >= 0), default=len(value))
        value = value[:cut] + chance.choice(_ODD_JSON) + value[end:]
    return value


def _damaged(value: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Bytes replaced, taken away, put in, repeated, or the end of another record."""
    at = chance.randrange(len(value) + 1)
    kind = chance.randrange(6)
    if kind == 0:
        return value[:at] + chance.randbytes(1) + value[at + 1 :]
    if kind == 1:
        return value[:at] + bytes((value[at] ^ 1 << chance.randrange(8),)) + value[at + 1 :] if at < len(value) else b""
    if kind == 2:
        return value[:at] + value[at + chance.randint(1, 8) :]
    if kind == 3:
        return value[:at] + chance.randbytes(chance.randint(1, 8)) + value[at:]
    if kind == 4:
        return value[:at] + value[max(0, at - 8) : at] * chance.randint(1, 3) + value[at:]
    other = chance.choice(others)
    return value[:at] + other[chance.randrange(len(other) + 1) :]
