"""Which cross-encoder the scorers use: one record of `models` with the key `cross-encoder`."""

from pathlib import Path

import msgspec

from agents.errors import RecordError, SetupError
from agents.lookup import newest
from agents.records import MOST_PREVIOUS, ModelVersion, NamedModel, encode_json, read_model
from agents.runtime.clients import plain_producer
from agents.settings import Settings
from agents.topics import build_topics

NAME = "cross-encoder"
CROSS = NAME.encode()
SEND_TIMEOUT_S = 20.0


def check_cross_model(model: ModelVersion) -> None:
    """Raise `RecordError` (`bad_field`) for a record that names no model."""
    if not model.path or (model.shadow is not None and not model.shadow.path):
        raise RecordError("bad_field", "path: expected the folder or the Hugging Face id of a cross-encoder")


def used(settings: Settings) -> ModelVersion | None:
    """What scorers are told to use; None: nothing was announced. Raises what a look at a topic raises."""
    value = newest(settings, build_topics(settings).models, CROSS)
    return None if value is None else read_model(value)


def with_model(model: ModelVersion | None, new: NamedModel) -> ModelVersion:
    """The record that brings a model into use; the one before becomes the first of `previous`."""
    before = [] if model is None else [NamedModel(model.version, model.path), *model.previous]
    return ModelVersion(NAME, new.version, new.path, previous=before[:MOST_PREVIOUS])


def with_shadow(model: ModelVersion | None, shadow: NamedModel) -> ModelVersion:
    """The record that lets scorers compare a model with the one in use. Raises `SetupError` if none is in use."""
    if model is None:
        raise SetupError("no cross-encoder is announced that it could be compared with: leave --shadow out")
    return msgspec.structs.replace(model, shadow=shadow)


def rolled_back(model: ModelVersion | None) -> ModelVersion:
    """The record that brings the model before into use again. Raises `SetupError` if there is none."""
    if model is None or not model.previous:
        raise SetupError("there is no version before the one in use")
    back, *older = model.previous
    return ModelVersion(NAME, back.version, back.path, previous=older)


def announce(settings: Settings, model: ModelVersion) -> None:
    """Tell all scorers. Raises `SetupError` if the broker does not take it."""
    topic = build_topics(settings).models
    refused: list[str] = []
    producer = plain_producer(settings)
    producer.produce(
        topic.name,
        encode_json(model),
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
