"""The ranker's record: all of the state there and back, and what of it the scorer takes."""

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from agents.errors import RecordError
from agents.packed import RANKER_STATE
from agents.ranker import RANKER, Learned, band_weights, from_record, read_version, to_record
from agents.records import ModelVersion, encode_json
from models.choice_model import BANDS
from models.learner import Learner, LearnerState
from tests.models.choosing import BLEND, choices_of

SOURCES = dict(zip(("item_cf", "popular", "segment", "interest"), BLEND.tolist(), strict=True))
LEARNER = Learner(BLEND, 50_000.0)


def learned(count: int = 300) -> LearnerState:
    return LEARNER.learn(LEARNER.start(), choices_of(np.random.default_rng(1), count, np.array([2.0, 4.0, 0.0, 2.0])))


def there_and_back(model: ModelVersion) -> ModelVersion:
    return read_version(RANKER, encode_json(model))


@pytest.mark.parametrize("state", [LEARNER.start(), learned()], ids=["nothing", "something"])
def test_the_state_comes_back_to_the_bit(state: LearnerState) -> None:
    model = there_and_back(to_record(LEARNER, SOURCES, Learned(state, {0: 7, 3: 2**40}), 2.0))
    back = from_record(LEARNER, SOURCES, model)
    assert back is not None
    assert back.offsets == {0: 7, 3: 2**40}
    for one, other in ((back.state.learned, state.learned), (back.state.fixed, state.fixed)):
        assert_array_equal(one.matrix, other.matrix)
        assert_array_equal(one.vector, other.vector)
    assert (back.state.gains, back.state.choices) == (state.gains, state.choices)


def test_it_fits_a_message_many_times() -> None:
    assert len(encode_json(to_record(LEARNER, SOURCES, Learned(learned(), {0: 1}), 2.0))) < 64 * 1024


def test_the_scorer_takes_the_weights_of_each_band() -> None:
    state = learned()
    taken = band_weights(there_and_back(to_record(LEARNER, SOURCES, Learned(state, {}), 2.0)))
    assert taken is not None
    assert taken.version == "300"
    for row, first in zip(LEARNER.weights(state), BANDS, strict=True):
        assert taken.of(first) == dict(zip(SOURCES, row.tolist(), strict=True))
    assert taken.of(4) == taken.of(0)
    assert taken.of(100_000) == taken.of(BANDS[-1])


def test_weights_that_are_not_better_are_not_taken() -> None:
    model = there_and_back(to_record(LEARNER, SOURCES, Learned(LEARNER.start(), {}), 2.0))
    assert (model.active, model.gain, model.gain_error) == (False, 0.0, None)
    assert band_weights(model) is None


@pytest.mark.parametrize(
    "changed",
    [
        {**SOURCES, "segment": 0.5},
        {"popular": 0.1, **SOURCES},
        {name: SOURCES[name] for name in ("item_cf", "popular")},
    ],
    ids=["weight", "order", "sources"],
)
def test_with_other_sources_or_weights_it_begins_anew(changed: dict[str, float]) -> None:
    other = Learner(np.array(list(changed.values())), 50_000.0)
    assert from_record(other, changed, to_record(LEARNER, SOURCES, Learned(learned(), {0: 7}), 2.0)) is None


@pytest.mark.parametrize(
    ("weights", "active"),
    [({"popular": 1.0}, True), ({"popular:x": 1.0}, True), ({"popular:0": -1.0}, False), ({"popular:5": 1.0}, True)],
)
def test_weights_that_nobody_can_rank_with_are_refused(weights: dict[str, float], active: bool) -> None:
    with pytest.raises(RecordError, match="weights"):
        there_and_back(ModelVersion("ranker", "1", weights=weights, active=active))


def test_a_record_under_another_key_is_refused() -> None:
    with pytest.raises(RecordError, match="wrong_key"):
        read_version(b"other", encode_json(ModelVersion("ranker", "1")))
    assert read_version(b"bert", encode_json(ModelVersion("bert", "1"))).version == "1"


def test_a_damaged_state_is_refused() -> None:
    model = to_record(LEARNER, SOURCES, Learned(learned(), {}), 2.0)
    state = RANKER_STATE.read(model.state)
    nan = np.full(len(state.learned[1]) // 8, np.nan).tobytes()
    for evidence in ((b"", b""), (state.learned[0][:-1], state.learned[1]), (state.learned[0], nan)):
        damaged = msgspec.structs.replace(
            model, state=RANKER_STATE.write(msgspec.structs.replace(state, learned=evidence))
        )
        with pytest.raises(RecordError, match="bad_packed"):
            from_record(LEARNER, SOURCES, damaged)
    with pytest.raises(RecordError, match="bad_version"):
        from_record(LEARNER, SOURCES, msgspec.structs.replace(model, state=b""))
