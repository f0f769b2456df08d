"""What the rest of the system needs of a bi-encoder, and a light one that keeps the contract without a model."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class TextEncoder(Protocol):
    """Turns texts into unit vectors whose cosine says how alike the texts are."""

    version: str
    """Changes whenever a text may get another vector."""
    dimension: int

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, float32 [len(texts), dimension], in the order of the texts.

        The vector of a text does not depend on the other texts. A text without words has some vector too.
        """
        ...


class HashEncoder:
    """A bag of words, each word a fixed direction drawn from its hash: shared words make texts alike.

    For tests and trials: deterministic on every machine, no model, no torch. `calls` and `texts` count the work.
    """

    def __init__(self, dimension: int = 64) -> None:
        self.version = f"hash-{dimension}"
        self.dimension = dimension
        self.calls = 0
        self.texts = 0

    def encode(self, texts: Sequence[str]) -> Floats:
        """See `TextEncoder`."""
        self.calls += 1
        self.texts += len(texts)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for place, text in enumerate(texts):
            words = text.lower().split() or [""]
            vectors[place] = sum((self._direction(word) for word in words), np.zeros(self.dimension))
        unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
        return unit

    def _direction(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
        return np.random.default_rng(seed).standard_normal(self.dimension)
