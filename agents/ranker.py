"""The ranker in the topic `models`: from what the learner knows to a record, and back.

One record with the key `ranker` holds the weights that scorers use and all that learning goes on with, the offsets of
`outcomes` among it: whoever reads it has a state and knows exactly what it was learned from.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.cross_models import CROSS, check_cross_model
from agents.errors import RecordError
from agents.exposure import EXPOSURE, read_exposure
from agents.packed import RANKER_STATE, RankerState, pack_doubles, unpack_doubles
from agents.records import ModelVersion, read_model
from models.choice_model import BANDS, PLACES, Evidence
from models.learner import Gains, Learner, LearnerState
from models.ranking import BandWeights

NAME = "ranker"
RANKER = NAME.encode()


@dataclass(frozen=True)
class Learned:
    """What is known, and up to where it was learned from `outcomes`."""

    state: LearnerState
    offsets: Mapping[int, int]
    """Partition → next offset."""


def read_version(key: bytes, value: bytes) -> ModelVersion:
    """A record of `models`. Raises `RecordError`, also for weights and counts that nobody can rank with."""
    model = read_model(value)
    if model.name.encode() != key:
        raise RecordError("wrong_key", "the record's key differs from name: send the name as the key")
    if key == RANKER:
        band_weights(model)
    elif key == EXPOSURE:
        read_exposure(model)
    elif key == CROSS:
        check_cross_model(model)
    return model


def band_weights(model: ModelVersion) -> BandWeights | None:
    """The weights of the ranker; None: they are not to be used. Raises `RecordError` (`bad_field`)."""
    bands: dict[int, dict[str, float]] = {}
    for name, weight in model.weights.items():
        source, _, length = name.rpartition(":")
        if not source or not length.isdecimal() or weight < 0:
            raise RecordError("bad_field", f"weights: {name}: expected source:length and a weight of at least 0")
        bands.setdefault(int(length), {})[source] = weight
    if not model.active:
        return None
    if 0 not in bands:
        raise RecordError("bad_field", "weights: none for a history of length 0")
    first = sorted(bands)
    return BandWeights(first, [bands[length] for length in first], model.version)


def to_record(learner: Learner, blend: Mapping[str, float], learned: Learned, errors: float) -> ModelVersion:
    """The record to publish. `blend`: the sources and their weights in the settings; `errors`: see `Learner.better`."""
    state, gains = learned.state, learned.state.gains
    names = [f"{source}:{first}" for first in BANDS for source in blend]
    return ModelVersion(
        name=NAME,
        version=str(state.choices),
        weights=dict(zip(names, learner.weights(state).ravel().tolist(), strict=True)),
        active=learner.better(state, errors),
        gain=gains.mean,
        gain_error=gains.error if math.isfinite(gains.error) else None,
        state=RANKER_STATE.write(
            RankerState(
                list(blend),
                pack_doubles(np.array(list(blend.values()))),
                list(BANDS),
                list(PLACES),
                _packed(state.learned),
                _packed(state.fixed),
                (gains.count, gains.squared_count, gains.total, gains.squares),
                state.choices,
                dict(learned.offsets),
            )
        ),
    )


def from_record(learner: Learner, blend: Mapping[str, float], model: ModelVersion) -> Learned | None:
    """What learning goes on with; None: it began with other sources, weights or bands, and has to begin anew.

    Raises `RecordError` (`bad_version`, `bad_packed`).
    """
    kept = RANKER_STATE.read(model.state)
    as_now = (list(blend), pack_doubles(np.array(list(blend.values()))), list(BANDS), list(PLACES))
    if (kept.sources, kept.blend, kept.bands, kept.places) != as_now:
        return None
    start = learner.start()
    learned, fixed = _unpacked(kept.learned, start.learned), _unpacked(kept.fixed, start.fixed)
    return Learned(LearnerState(learned, fixed, Gains(*kept.gains), kept.choices), kept.offsets)


def _packed(evidence: Evidence) -> tuple[bytes, bytes]:
    return pack_doubles(evidence.matrix[_lower(len(evidence.vector))]), pack_doubles(evidence.vector)


def _unpacked(packed: Sequence[bytes], like: Evidence) -> Evidence:
    size = len(like.vector)
    try:
        triangle, vector = map(unpack_doubles, packed)
        matrix = np.zeros((size, size))
        matrix[_lower(size)] = triangle
    except ValueError as exc:
        raise RecordError("bad_packed", f"RankerState: {exc}") from exc
    if len(vector) != size or not (np.isfinite(triangle).all() and np.isfinite(vector).all()):
        raise RecordError("bad_packed", "RankerState: evidence is not of this model")
    return Evidence(np.tril(matrix, -1).T + matrix, vector)


def _lower(size: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    return np.tril_indices(size)
