"""The models that the settings name, loaded. The only place of the workers that reaches for torch."""

import os
import time
from collections.abc import Callable
from typing import NoReturn

from agents.errors import SetupError
from agents.security import variable
from agents.settings import Settings
from models.bert.contract import TextEncoder
from models.second_stage import SecondStage

ANNOUNCED = "announced"
"""The value of `cross_model` that waits for `profilestream models announce`."""
WARM_UP = ("a red mug\na blue bowl\nsix white plates\na tea pot\na tray", "a green cup and saucer")
"""A pair of usual length, to find out the speed."""


def load_encoder(settings: Settings) -> TextEncoder | None:
    """The encoder that the settings name; None: they name none. Raises `SetupError` if it cannot be loaded."""
    if not settings.bert_model:
        return None
    try:
        from models.bert.encoder import Encoder
        from models.bert.folder import find_model
    except ImportError as exc:
        _refuse_without_torch("bert_model", exc)
    try:
        return Encoder(find_model(settings.bert_model), settings.device, _threads(settings))
    except ValueError as exc:
        raise SetupError(f"{variable('bert_model')}: {exc}") from exc


def load_second_stage(
    settings: Settings, wanted: str, clock: Callable[[], float] = time.monotonic
) -> SecondStage | None:
    """This cross-encoder, a folder or an id, checked and warm; None: none is wanted, or what is announced will be.

    Raises `SetupError` if it cannot be loaded.
    """
    if wanted in {"", ANNOUNCED}:
        return None
    try:
        from models.bert.cross_encoder import CrossEncoder
        from models.bert.folder import find_model
        from models.bert.pair_model import PairModel
        from models.bert.probe import check_probe
    except ImportError as exc:
        _refuse_without_torch("cross_model", exc)
    try:
        folder = find_model(wanted)
        encoder = CrossEncoder(folder, settings.device, _threads(settings))
        check_probe(encoder, folder.path)
        second = SecondStage(PairModel(encoder), settings.cross_candidates, clock)
    except ValueError as exc:
        raise SetupError(f"{variable('cross_model')}: {exc}") from exc
    second.warm_up(WARM_UP)
    return second


def _refuse_without_torch(setting: str, error: ImportError) -> NoReturn:
    raise SetupError(
        f"{variable(setting)} is set, but {error.name} is not installed: pip install 'profilestream[scorer]', "
        "or leave the setting empty to blend without BERT"
    ) from error


def _threads(settings: Settings) -> int:
    """torch's threads wait for each other: where one has to share its core, all stand still (10 ms became 200)."""
    if settings.scorer_threads:
        return settings.scorer_threads
    return max(1, len(os.sched_getaffinity(0)) // 2) if hasattr(os, "sched_getaffinity") else 1
