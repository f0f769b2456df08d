"""Which cross-encoder the scorers use: one record of `models` with the key `cross-encoder`."""

from pathlib import Path

import msgspec

from agents.errors import RecordError, SetupError
from agents.lookup import read_all
from agents.records import MOST_PREVIOUS, ModelVersion, NamedModel, encode_json, read_model
from agents.sending import send_changes
from agents.settings import Settings
from agents.topics import build_topics
from models.bert.folder import ModelError, find_model, model_version

NAME = "cross-encoder"
CROSS = NAME.encode()


def check_cross_model(model: ModelVersion) -> None:
    """Raise `RecordError` (`bad_field`) for a record that names no model; with a shadow it may leave the other out."""
    if not (model.path or model.shadow) or (model.shadow is not None and not model.shadow.path):
        raise RecordError("bad_field", "path: expected the folder or the Hugging Face id of a cross-encoder")


def used(settings: Settings) -> ModelVersion | None:
    """What scorers are told to use; None: nothing is announced. Raises what a look at a topic raises."""
    value = None
    for record in read_all(settings, build_topics(settings).models):
        if record.key == CROSS:
            value = record.value
    return None if value is None else read_model(value)


def with_model(model: ModelVersion | None, new: NamedModel) -> ModelVersion:
    """The record that brings a model into use; the one before becomes the first of `previous`. It ends a shadow."""
    if model is not None and (model.version, model.path) == (new.version, new.path):
        return msgspec.structs.replace(model, shadow=None)
    before = [] if model is None or not model.path else [NamedModel(model.version, model.path), *model.previous]
    return ModelVersion(NAME, new.version, new.path, previous=before[:MOST_PREVIOUS])


def with_shadow(model: ModelVersion | None, shadow: NamedModel) -> ModelVersion:
    """The record that lets scorers compare a model with the one in use, be that of their settings."""
    return msgspec.structs.replace(model or ModelVersion(NAME, ""), shadow=shadow)


def rolled_back(model: ModelVersion | None) -> ModelVersion | None:
    """The record that brings the model before into use again; None: scorers use that of their settings.

    Raises `SetupError` if nothing is announced.
    """
    if model is None:
        raise SetupError("no cross-encoder is announced: scorers use the one of their settings")
    if not model.previous:
        return None
    back, *older = model.previous
    return ModelVersion(NAME, back.version, back.path, previous=older)


def announce(settings: Settings, model: ModelVersion | None) -> None:
    """Tell all scorers; None: to use the model of their settings. Raises `BrokerError`."""
    send_changes(settings, build_topics(settings).models, {CROSS: None if model is None else encode_json(model)})


def named_model(wanted: str) -> NamedModel:
    """The version of the model in a folder or of an id. Raises `SetupError` if there is none."""
    path = str(Path(wanted).resolve()) if Path(wanted).is_dir() else wanted
    try:
        return NamedModel(model_version(find_model(path)), path)
    except ModelError as exc:
        raise SetupError(str(exc)) from exc
