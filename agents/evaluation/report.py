"""What an evaluation found: methods side by side, on the same events."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.accuracy import NOT_IN_LIST, Accuracy, Exposure
from models.evaluation import TakenItems

OURS, POPULAR = "profilestream", "popular"


@dataclass
class Method:
    """The lists of one method: what they hit and what they showed."""

    accuracy: Accuracy = field(default_factory=Accuracy)
    exposure: Exposure = field(default_factory=Exposure)

    def add(self, user: str, shown: Sequence[str], targets: Sequence[str], taken: TakenItems) -> None:
        """One list, the new items that its user took next, and what was taken before."""
        self.exposure.add(shown, taken)
        for target in targets:
            self.accuracy.add(user, shown.index(target) if target in shown else NOT_IN_LIST)


@dataclass
class Report:
    """What came out: our lists, plain popularity, and others."""

    methods: dict[str, Method] = field(default_factory=dict)
    trained: int = 0
    """Events that only trained."""
    tested: int = 0
    items: int = 0
    """Items that were taken, are in the catalogue or were shown."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Events that a worker would have put into the dead letters, by reason."""
    peer_seconds: dict[str, float] = field(default_factory=dict)
    """What models of others took, fits and lists."""

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
