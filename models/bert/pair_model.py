"""A cross-encoder as the second stage wants it: one chance for each pair of texts."""

from collections.abc import Sequence

from models.bert.cross_encoder import CrossEncoder, Floats
from models.bert.folder import ModelError
from models.second_stage import Pair

TAKEN = "yes"
"""The label of items that were taken, among others."""


class PairModel:
    """What a model of pairs says of `TAKEN`, or, if it has one label only, of that."""

    def __init__(self, encoder: CrossEncoder) -> None:
        """Raises ModelError for a model of other labels."""
        labels = encoder.labels
        if len(labels) > 1 and TAKEN not in labels:
            raise ModelError(
                f"{encoder.version} has the labels {', '.join(labels)}: to rank items it must have one label, or one "
                f"that is {TAKEN!r}, as models that `profilestream train` makes of pairs have"
            )
        self._encoder, self._column = encoder, labels.index(TAKEN) if len(labels) > 1 else 0
        self.version = encoder.version

    def chances(self, pairs: Sequence[Pair]) -> Floats:
        """See `models.second_stage.PairScorer`."""
        column: Floats = self._encoder.chances(pairs)[:, self._column]
        return column
