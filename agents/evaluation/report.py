"""What an evaluation found: methods side by side, on the same events."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.records import ModelVersion
from models.accuracy import NOT_IN_LIST, Accuracy, Exposure
from models.categories import Contents, Floats
from models.evaluation import TakenItems
from models.moments import Moments

OURS, POPULAR = "profilestream", "popular"


@dataclass
class Method:
    """The lists of one method: what they hit and what they showed."""

    contents: Contents
    accuracy: Accuracy = field(default_factory=Accuracy)
    exposure: Exposure = field(default_factory=Exposure)

    def show(self, user: str, shown: Sequence[str], taken: TakenItems, mix: Floats | None) -> None:
        """One list, what was taken before it, and the mix of categories of its user's history."""
        self.exposure.add(shown, taken)
        self.contents.add(user, shown, mix)

    def ask(self, user: str, shown: Sequence[str], targets: Sequence[str]) -> None:
        """The new items that the user of the list took next."""
        for target in targets:
            self.accuracy.add(user, shown.index(target) if target in shown else NOT_IN_LIST)


@dataclass
class Report:
    """What came out: our lists, plain popularity, and others."""

    methods: dict[str, Method] = field(default_factory=dict)
    moments: Moments = field(default_factory=Moments)
    trained: int = 0
    """Events that only trained."""
    tested: int = 0
    items: int = 0
    """Items that were taken, are in the catalogue or were shown."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Events that a worker would have put into the dead letters, by reason."""
    peer_seconds: dict[str, float] = field(default_factory=dict)
    """What models of others took, fits and lists."""
    ranker: ModelVersion | None = None
    """What was learned from feedback."""

    @property
    def lists(self) -> Accuracy:
        """Of our lists."""
        return self.methods[OURS].accuracy

    @property
    def popular(self) -> Accuracy:
        """Of popularity."""
        return self.methods[POPULAR].accuracy

    @property
    def exposure(self) -> Exposure:
        """Of our lists."""
        return self.methods[OURS].exposure
