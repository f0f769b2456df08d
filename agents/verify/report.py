"""What the auditor found, for people and for scripts."""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "profile differs",
    "profile missing",
    "no source for profile",
    "erasure missing",
    "row unreadable",
    "row after the last seal",
    "rows do not add up to their seal",
    "list missing",
    "list twice",
    "list without trigger",
    "dead letter missing",
    "dead letter twice",
    "dead letter of a good record",
    "forwarded record missing",
    "forwarded record twice",
    "item row differs from cooccurrence",
    "item row differs from histories",
    "neighbours differ",
    "neighbours missing",
]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as recomputed."""

    kind: Kind
    place: str
    """Topic, partition and offset, or the item."""
    detail: str = ""
    user: str = ""


@dataclass
class PartReport:
    """What was compared in one partition."""

    kind: Literal["users", "items"]
    partition: int
    cut: dict[str, int] = field(default_factory=dict)
    """Source topic → offset before which its records are in the state that was compared."""
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What could not be verified, and why."""
    differences: list[Difference] = field(default_factory=list)

    def add(self, name: str, amount: int = 1) -> None:
        """Count something."""
        self.counts[name] = self.counts.get(name, 0) + amount

    def differs(self, kind: Kind, place: str, detail: str = "", user: str = "") -> None:
        """Note a difference."""
        self.differences.append(Difference(kind, place, detail, user))


@dataclass
class Report:
    """All partitions."""

    parts: list[PartReport] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not any(part.differences for part in self.parts)

    @property
    def complete(self) -> bool:
        """Whether everything could be verified."""
        return not any(part.notes for part in self.parts)

    def as_json(self, most: int, show_ids: bool) -> dict[str, Any]:
        """A plain object with at most `most` differences of each partition."""
        return {
            "equal": self.equal,
            "complete": self.complete,
            "partitions": [
                {
                    "kind": part.kind,
                    "partition": part.partition,
                    "cut": part.cut,
                    "counts": part.counts,
                    "notes": part.notes,
                    "difference_count": len(part.differences),
                    "differences": [_shown(one, show_ids) for one in part.differences[:most]],
                }
                for part in self.parts
            ],
        }


def _shown(one: Difference, show_ids: bool) -> dict[str, str]:
    shown = {"kind": one.kind, "place": one.place, "detail": one.detail}
    return {**shown, "user": one.user} if show_ids and one.user else shown
