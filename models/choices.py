"""What users chose from lists, as arrays, and how likely a ranker takes each choice to be.

A user who looks at place p of a list with probability e_p, and then wants item j with odds exp(u_j), chooses item c of
the items of a list that could be chosen with

    P(c) = exp(u_c + θ_c) / Σ_j exp(u_j + θ_j),    θ_j = log e_p of j's place

(the conditional logit of McFadden 1974 with the position-based model of Craswell et al. 2008). Whatever is the same for
all items of a list, such as how active the user is, cancels. Several choices from one list are made one after the
other, each among what is left. θ is learned beside u and left out when lists are ranked.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Choices:
    """n choices, each among the items of one list that could be chosen; N items in all, those of a choice together."""

    scores: Floats
    """[N, S] each source's score of the item, within [0, 1]"""
    positions: Ints
    """[N] place of the item in its list, from 0"""
    starts: Ints
    """[n] first item of each choice"""
    chosen: Ints
    """[n] the item that was chosen, counted like `starts`"""
    lengths: Ints
    """[n] history length of the user"""

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def of(self) -> Ints:
        """[N] the choice that each item belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts, append=len(self.scores)))

    def part(self, begin: int, end: int) -> "Choices":
        """The choices from `begin` to before `end`."""
        ends = np.append(self.starts, len(self.scores))
        first, last = int(ends[begin]), int(ends[min(end, len(self))])
        starts, chosen = self.starts[begin:end] - first, self.chosen[begin:end] - first
        return Choices(self.scores[first:last], self.positions[first:last], starts, chosen, self.lengths[begin:end])


def join(parts: list[Choices], sources: int) -> Choices:
    """Several as one, in order; `sources`: S, for none."""
    if not parts:
        none = np.zeros(0, np.int64)
        return Choices(np.zeros((0, sources)), none, none, none, none)
    before = np.cumsum([0, *(len(part.scores) for part in parts[:-1])])
    return Choices(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.starts + first for part, first in zip(parts, before, strict=True)]),
        np.concatenate([part.chosen + first for part, first in zip(parts, before, strict=True)]),
        np.concatenate([part.lengths for part in parts]),
    )


def probabilities(utilities: Floats, choices: Choices) -> tuple[Floats, Floats]:
    """P of each item [N], and log P of each choice [n], for utilities u + θ [N]."""
    of, starts = choices.of, choices.starts
    shifted = utilities - np.maximum.reduceat(utilities, starts)[of]
    odds = np.exp(shifted)
    totals = np.add.reduceat(odds, starts)
    return odds / totals[of], shifted[choices.chosen] - np.log(totals)
