"""What a scorer follows beside its candidates: the catalogue, the shop's rules, what the learner publishes.

Where lists have places for new items, it also follows which items anybody had to do with.
"""

from typing import Any, NamedTuple

import msgspec

from agents.packed import PackedCodec
from agents.ranker import read_version
from agents.records import Item, ModelVersion, read_catalogue
from agents.rules import read_rule
from agents.runtime.metrics import Metrics
from agents.runtime.view import View
from agents.settings import Settings
from agents.topics import build_topics
from agents.variants import explores
from models.rules.rule import ShopRule


class Changes(NamedTuple):
    """What came since the last look, key and value; None: deleted."""

    items: list[tuple[bytes, Item | None]]
    rules: list[tuple[bytes, ShopRule | None]]
    models: list[tuple[bytes, ModelVersion | None]]
    taken: list[tuple[bytes, bool | None]]
    """Whether anybody had to do with an item."""


class _Users(msgspec.Struct, array_like=True, gc=False):
    """The part of a `Neighbours` record that is read here; the rest is passed over."""

    ids: msgspec.Raw
    weights: msgspec.Raw
    g: msgspec.Raw
    c: msgspec.Raw
    users: int


_USERS = PackedCodec(_Users)


def read_taken(_key: bytes, value: bytes) -> bool:
    """Whether an item's record of `neighbours` has users. Raises `RecordError` (`bad_version`, `bad_packed`)."""
    return _USERS.read(value).users > 0


def reads_models(settings: Settings) -> bool:
    """Whether anything in `models` is for a scorer with these settings."""
    return settings.learned_ranker or explores(settings) or bool(settings.cross_model)


class Views:
    """Views of `items`, `rules` and, where they are wanted, `models` and `neighbours`."""

    def __init__(self, settings: Settings) -> None:
        topics = build_topics(settings)
        self._items = View(settings, topics.items, read_catalogue)
        self._rules = View(settings, topics.rules, read_rule)
        explore = explores(settings)
        self._models = View(settings, topics.models, read_version) if reads_models(settings) else None
        self._taken = View(settings, topics.neighbours, read_taken) if explore else None
        wanted: tuple[View[Any] | None, ...] = (self._items, self._rules, self._models, self._taken)
        self.all: tuple[View[Any], ...] = tuple(view for view in wanted if view is not None)

    def start(self, metrics: Metrics) -> None:
        """Begin to read."""
        for view in self.all:
            view.start(metrics)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The views that were not yet read to their end once."""
        return tuple(f"view {view.topic}" for view in self.all if not view.caught_up)

    def drain(self) -> Changes:
        """What changed since the last call. Raises what ended a view."""
        for view in self.all:
            if view.error is not None:
                raise view.error
        models = self._models.drain() if self._models is not None else []
        taken = self._taken.drain() if self._taken is not None else []
        return Changes(self._items.drain(), self._rules.drain(), models, taken)
