"""Which cross-encoder the scorers use: one record of `models` with the key `cross-encoder`."""

from pathlib import Path

import msgspec

from agents.errors import RecordError, SetupError
from agents.lookup import read_whole
from agents.records import MOST_PREVIOUS, ModelVersion, NamedModel, encode_json, read_model
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import build_topics

NAME = "cross-encoder"
CROSS = NAME.encode()
SEND_TIMEOUT_S = 20.0


def check_cross_model(model: ModelVersion) -> None:
    """Raise `RecordError` (`bad_field`) for a record that names no model; with a shadow it may leave the other out."""
    if not (model.path or model.shadow) or (model.shadow is not None and not model.shadow.path):
        raise RecordError("bad_field", "path: expected the folder or the Hugging Face id of a cross-encoder")


def used(settings: Settings) -> ModelVersion | None:
    """What scorers are told to use; None: nothing is announced. Raises what a look at a topic raises."""
    value = None
    for record in read_whole(settings, build_topics(settings).models, 0):
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
    """Tell all scorers; None: to use the model of their settings. Raises `SetupError` if that cannot be written."""
    topic = build_topics(settings).models
    refused: list[str] = []
    producer = plain_producer(settings)
    producer.produce(
        topic.name,
        None if model is None else encode_json(model),
        CROSS,
        0,
        on_delivery=lambda error, _: refused.append(str(error)) if error is not None else None,
    )
    if producer.flush(SEND_TIMEOUT_S) or refused:
        raise SetupError(f"{topic.name} was not written: {'; '.join(refused) or 'the broker does not answer'}")


def named_model(wanted: str) -> NamedModel:
    """The version of the model in a folder or of an id. Raises `SetupError` if it is none that can rank items."""
    try:
        from models.bert.folder import ModelError, find_model, model_version
    except ImportError as exc:
        raise SetupError(f"{exc.name} is not installed: pip install 'profilestream[scorer]'") from exc
    path = str(Path(wanted).resolve()) if Path(wanted).is_dir() else wanted
    try:
        return NamedModel(model_version(find_model(path)), path)
    except ModelError as exc:
        raise SetupError(str(exc)) from exc
