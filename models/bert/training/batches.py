"""Examples as token ids, in batches of about one length, in an order that a seed fixes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.bert.tokens import Ids, Joiner, TokenCache
from models.bert.training.examples import Example

POOL = 50
"""Batches whose examples are sorted by length among themselves: little padding, and still a random order."""


@dataclass(frozen=True)
class Encoded:
    """Inputs as ids with the number of tokens of type 0, and their labels."""

    inputs: list[tuple[Ids, int]]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.inputs)


def encode(
    examples: Sequence[Example], labels: NDArray[np.int64], tokenizer: Any, joiner: Joiner, most: int
) -> Encoded:
    """All examples, cut to `most` tokens."""
    cache = TokenCache(lambda texts: tokenizer(texts, add_special_tokens=False)["input_ids"])
    ids = cache.ids(text for example in examples for text in example.texts)
    return Encoded([joiner.join([ids[text] for text in example.texts], most) for example in examples], labels)


def epoch_batches(data: Encoded, size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Places of the examples of each batch: a function of seed and epoch alone."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(data))
    lengths = np.array([len(ids) for ids, _ in data.inputs])
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), POOL * size):
        pool = order[start : start + POOL * size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    return [batches[place] for place in random.permutation(len(batches)).tolist()]


def collate(data: Encoded, places: NDArray[np.int64], pad: int, typed: bool) -> dict[str, torch.Tensor]:
    """Padded tensors int64 [batch, longest] by the names of a model's arguments."""
    part = [data.inputs[place] for place in places.tolist()]
    width = max(len(ids) for ids, _ in part)
    tokens = np.full((len(part), width), pad, np.int64)
    mask, types = np.zeros_like(tokens), np.zeros_like(tokens)
    for row, (ids, first) in enumerate(part):
        tokens[row, : len(ids)], mask[row, : len(ids)] = ids, 1
        types[row, first : len(ids)] = 1
    arrays = {"input_ids": tokens, "attention_mask": mask, **({"token_type_ids": types} if typed else {})}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def class_weights(labels: NDArray[np.int64], count: int, balanced: bool) -> torch.Tensor:
    """float32 [count]: 1, or rows / (labels · rows of the label) as in scikit-learn; a label without rows has 0."""
    if not balanced:
        return torch.ones(count)
    rows = np.bincount(labels, minlength=count)
    present = int((rows > 0).sum())
    return torch.tensor(np.where(rows > 0, len(labels) / (present * np.maximum(rows, 1)), 0.0), dtype=torch.float32)
