"""Which cross-encoder is announced, and what was before."""

import pytest

from agents.cross_models import CROSS, rolled_back, with_model, with_shadow
from agents.errors import RecordError, SetupError
from agents.ranker import read_version
from agents.records import MOST_PREVIOUS, ModelVersion, NamedModel, encode_json

MODELS = [NamedModel(f"reader-{number}", f"/models/{number}") for number in range(MOST_PREVIOUS + 3)]


def used(model: ModelVersion) -> NamedModel:
    return NamedModel(model.version, model.path)


def test_a_rollback_goes_back_one_version_after_the_other() -> None:
    model = None
    for named in MODELS[:3]:
        model = with_model(model, named)
    assert model is not None
    assert (used(model), model.previous) == (MODELS[2], [MODELS[1], MODELS[0]])
    for back, before in ((MODELS[1], [MODELS[0]]), (MODELS[0], [])):
        model = rolled_back(model)
        assert model is not None
        assert (used(model), model.previous) == (back, before)
    assert rolled_back(model) is None, "before the first: the model of the settings"
    with pytest.raises(SetupError, match="no cross-encoder is announced"):
        rolled_back(None)


def test_old_versions_are_forgotten_in_the_end() -> None:
    model = None
    for named in MODELS:
        model = with_model(model, named)
    assert model is not None
    assert model.previous == MODELS[-2 : -2 - MOST_PREVIOUS : -1]
    assert read_version(CROSS, encode_json(model)) == model


def test_a_shadow_stands_beside_the_one_in_use_until_the_next() -> None:
    model = with_shadow(with_model(None, MODELS[0]), MODELS[1])
    assert (used(model), model.shadow) == (MODELS[0], MODELS[1])
    assert with_model(model, MODELS[1]).shadow is None
    same = with_model(model, MODELS[0])
    assert (used(same), same.shadow, same.previous) == (MODELS[0], None, [])


def test_a_shadow_of_the_model_of_the_settings_is_nothing_to_go_back_to() -> None:
    model = with_shadow(None, MODELS[1])
    assert (model.path, model.shadow) == ("", MODELS[1])
    assert read_version(CROSS, encode_json(model)) == model
    assert with_model(model, MODELS[1]).previous == []


def test_a_record_that_names_no_model_is_refused() -> None:
    for record in (
        ModelVersion("cross-encoder", "1"),
        ModelVersion("cross-encoder", "1", "/m", shadow=NamedModel("2", "")),
    ):
        with pytest.raises(RecordError, match="path"):
            read_version(CROSS, encode_json(record))
