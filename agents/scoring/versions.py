"""The cross-encoder that a scorer uses, as `models` tells: loaded beside the old one, checked, then changed."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agents.cross_models import CROSS
from agents.records import ModelVersion, NamedModel
from models.second_stage import SecondStage

log = logging.getLogger(__name__)

RETRY_S = 30.0
"""A model that could not be loaded is tried again: its folder may come later."""


@dataclass
class _Attempt:
    """One loading, in a thread of its own."""

    wanted: NamedModel
    thread: threading.Thread | None = None
    loaded: SecondStage | None = None
    error: str = ""
    ended_at: float = 0.0


class Follower:
    """Loads the model that is wanted last; `take` gives it once it is there."""

    def __init__(self, what: str, load: Callable[[str], SecondStage | None]) -> None:
        self._what, self._load = what, load
        self._attempt: _Attempt | None = None

    def want(self, model: NamedModel | None) -> None:
        """Load this model from now on; None: none."""
        if model is None:
            self._attempt = None
        elif self._attempt is None or self._attempt.wanted != model:
            self._start(model)

    @property
    def still(self) -> str:
        """What goes on, or went wrong; empty: nothing."""
        attempt = self._attempt
        if attempt is None or attempt.loaded is not None:
            return ""
        said = f"{self._what} {attempt.wanted.version}"
        return f"{said} is not used: {attempt.error}" if attempt.error else f"loading {said}"

    @property
    def loading(self) -> bool:
        """Whether a model is being loaded, or waits to be taken."""
        return self._attempt is not None and not self._attempt.error

    def take(self) -> SecondStage | None:
        """The model, once it is loaded; None afterwards."""
        attempt = self._attempt
        if attempt is None:
            return None
        if attempt.error and time.monotonic() - attempt.ended_at > RETRY_S:
            self._start(attempt.wanted)
            return None
        loaded, attempt.loaded = attempt.loaded, None
        if loaded is not None:
            self._attempt = None
        return loaded

    def _start(self, model: NamedModel) -> None:
        attempt = self._attempt = _Attempt(model)
        attempt.thread = threading.Thread(target=self._run, args=(attempt,), name="load-model", daemon=True)
        attempt.thread.start()

    def _run(self, attempt: _Attempt) -> None:
        try:
            attempt.loaded = self._load(attempt.wanted.path)
        except Exception as exc:  # also what torch raises: lists go on with the model at work
            attempt.error, attempt.ended_at = str(exc), time.monotonic()
            log.warning("%s %s is not used: %s", self._what, attempt.wanted.version, exc)


class Versions:
    """What scorers are told of cross-encoders, followed."""

    def __init__(self, load: Callable[[str], SecondStage | None]) -> None:
        self._next, self._shadow = Follower("cross-encoder", load), Follower("shadow", load)
        self._told: ModelVersion | None = None

    def follow(self, models: Iterable[tuple[bytes, ModelVersion | None]], used: str) -> None:
        """Take over records of `models`; `used`: the version at work."""
        for key, model in models:
            if key != CROSS:
                continue
            self._told = model
            self._shadow.want(None if model is None else model.shadow)
            if model is None or model.version == used:
                self._next.want(None)
            else:
                self._next.want(NamedModel(model.version, model.path))

    def next(self) -> SecondStage | None:
        """A model to use from now on, once."""
        return self._next.take()

    def shadow(self) -> SecondStage | None:
        """A model to compare with from now on, once."""
        return self._shadow.take()

    @property
    def compares(self) -> bool:
        """Whether there is to be a shadow."""
        return self._told is not None and self._told.shadow is not None

    @property
    def loading(self) -> bool:
        """Whether a model to use is on its way."""
        return self._next.loading

    def still(self) -> tuple[str, ...]:
        """What goes on beside the lists."""
        return tuple(said for said in (self._next.still, self._shadow.still) if said)
