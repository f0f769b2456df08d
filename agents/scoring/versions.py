"""The cross-encoder that a scorer uses, as `models` tells: loaded beside the old one, checked, then changed."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agents.cross_models import CROSS
from agents.records import ModelVersion, NamedModel
from models.second_stage import SecondStage

log = logging.getLogger(__name__)

RETRY_S = 30.0
"""A model that could not be loaded is tried again: its folder may come later."""
Load = Callable[[str], SecondStage | None]


class _Ended(NamedTuple):
    """How a loading ended."""

    loaded: SecondStage | None
    error: str
    at: float


class _Loading:
    """One loading, in a thread of its own."""

    def __init__(self, what: str, wanted: NamedModel, load: Load) -> None:
        self.wanted = wanted
        self.ended: _Ended | None = None
        self._what, self._load = what, load
        threading.Thread(target=self._run, name="load-model", daemon=True).start()

    def _run(self) -> None:
        loaded, error = None, ""
        try:
            loaded = self._load(self.wanted.path)
            found = "" if loaded is None else loaded.scorer.version
            if found != self.wanted.version and self.wanted.version:
                loaded, error = None, f"{self.wanted.path} holds {found} by now: announce it anew"
        except Exception as exc:  # also what torch raises: lists go on with the model at work
            error = str(exc) or type(exc).__name__
        if error:
            log.warning("%s %s is not used: %s", self._what, self.wanted.version, error)
        self.ended = _Ended(loaded, error, time.monotonic())


class Follower:
    """Loads the model that is wanted last; `take` gives it once it is there."""

    def __init__(self, what: str, load: Load, retry_s: float = RETRY_S) -> None:
        self._what, self._load, self._retry_s = what, load, retry_s
        self._attempt: _Loading | None = None

    def want(self, model: NamedModel | None) -> None:
        """Load this model from now on; None: none."""
        if model is None:
            self._attempt = None
        elif self._attempt is None or self._attempt.wanted != model:
            self._attempt = _Loading(self._what, model, self._load)

    @property
    def loading(self) -> bool:
        """Whether a model is being loaded, or waits to be taken."""
        attempt = self._attempt
        return attempt is not None and (attempt.ended is None or not attempt.ended.error)

    @property
    def still(self) -> str:
        """What goes on, or went wrong; empty: nothing."""
        attempt = self._attempt
        if attempt is None:
            return ""
        said = f"{self._what} {attempt.wanted.version}"
        return f"loading {said}" if self.loading or attempt.ended is None else f"{said}: {attempt.ended.error}"

    def take(self) -> SecondStage | None:
        """The model, once it is loaded; None afterwards."""
        attempt = self._attempt
        if attempt is None or (ended := attempt.ended) is None:
            return None
        if ended.error:
            if time.monotonic() - ended.at > self._retry_s:
                self._attempt = _Loading(self._what, attempt.wanted, self._load)
            return None
        self._attempt = None
        return ended.loaded


class Versions:
    """What scorers are told of cross-encoders, followed."""

    def __init__(self, load: Load, own: str = "") -> None:
        """`own`: the model of the settings, which is used while none is announced; empty: none."""
        self._next, self._shadow = Follower("cross-encoder", load), Follower("shadow", load)
        self._own = own
        self._told: ModelVersion | None = None
        self.withdrawn = False
        """The announced model is not to be used any more, and the settings name none."""

    def follow(self, models: Sequence[tuple[bytes, ModelVersion | None]], used: str) -> None:
        """Take over records of `models`; `used`: the version at work."""
        for key, model in models:
            if key != CROSS:
                continue
            before, self._told = self._told, model
            self._shadow.want(None if model is None else model.shadow)
            self.withdrawn = False
            if model is not None and model.path:
                self._next.want(None if model.version == used else NamedModel(model.version, model.path))
            elif before is None or not before.path:
                self._next.want(None)
            elif self._own:
                self._next.want(NamedModel("", self._own))
            else:
                self._next.want(None)
                self.withdrawn = True

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
