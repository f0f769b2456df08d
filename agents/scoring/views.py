"""What a scorer follows beside its candidates: the catalogue, the shop's rules, the learner's weights."""

from typing import Any, NamedTuple

from agents.ranker import read_version
from agents.records import Item, ModelVersion, read_catalogue
from agents.rules import read_rule
from agents.runtime.metrics import Metrics
from agents.runtime.view import View
from agents.settings import Settings
from agents.topics import build_topics
from models.rules.rule import ShopRule


class Changes(NamedTuple):
    """What came since the last look, key and value; None: deleted."""

    items: list[tuple[bytes, Item | None]]
    rules: list[tuple[bytes, ShopRule | None]]
    models: list[tuple[bytes, ModelVersion | None]]


class Views:
    """Views of `items`, `rules` and, unless learned weights are not wanted, `models`."""

    def __init__(self, settings: Settings) -> None:
        topics = build_topics(settings)
        self._items = View(settings, topics.items, read_catalogue)
        self._rules = View(settings, topics.rules, read_rule)
        self._models = View(settings, topics.models, read_version) if settings.learned_ranker else None
        self._all: list[View[Any]] = [self._items, self._rules, *([self._models] if self._models is not None else [])]

    def start(self, metrics: Metrics) -> None:
        """Begin to read."""
        for view in self._all:
            view.start(metrics)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The views that were not yet read to their end once."""
        return tuple(f"view {view.topic}" for view in self._all if not view.caught_up)

    def drain(self) -> Changes:
        """What changed since the last call. Raises what ended a view."""
        for view in self._all:
            if view.error is not None:
                raise view.error
        models = self._models.drain() if self._models is not None else []
        return Changes(self._items.drain(), self._rules.drain(), models)
