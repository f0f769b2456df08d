"""What the similarity worker's changelog stands for, in plain dictionaries."""

from collections import Counter

import numpy as np

from agents.packed import ROW_BODY, ROW_HEAD, RowHead, unpack_ints
from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.support import newest, read_all

Pairs = dict[str, dict[str, tuple[int, int]]]


def item_rows(settings: Settings) -> tuple[Pairs, dict[str, RowHead]]:
    """item → neighbour → (G, C), and each item's norms."""
    rows = newest(read_all(settings, build_topics(settings).item_rows_changelog.name))
    names = {(p, key[1:]): value.decode() for (p, key), value in rows.items() if key[:1] == b"d"}
    pairs = {}
    for (partition, key), value in rows.items():
        if key[:1] != b"b":
            continue
        body = ROW_BODY.read(value)
        cols = np.cumsum(unpack_ints(body.cols), dtype=np.int64).tolist()
        near = [names[partition, col.to_bytes(4, "big")] for col in cols]
        counts = zip(unpack_ints(body.g).tolist(), unpack_ints(body.c).tolist(), strict=True)
        pairs[names[partition, key[1:]]] = dict(zip(near, counts, strict=True))
    heads = {
        names[partition, key[1:]]: ROW_HEAD.read(value) for (partition, key), value in rows.items() if key[:1] == b"h"
    }
    return pairs, heads


def co_counts(settings: Settings) -> tuple[Pairs, Counter[str]]:
    """Co-counts and users of the items that have any: what is left when all that an item had was subtracted is none."""
    pairs, heads = item_rows(settings)
    users = Counter({item: head.users for item, head in heads.items() if head.users})
    return {item: near for item, near in pairs.items() if near}, users
