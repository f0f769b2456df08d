"""Which fetched records are to be absorbed: those of owned partitions, each once.

fetch (epoch 3) ──► take ──► records at or after the next offset ──► absorbed, next offset moves on
fetch (epoch 2) ──► nothing: it was made before the last rebalance
"""

from collections.abc import Mapping

from faust.types import TP

from agents.runtime.batch import Runs


class Positions:
    """The next offset to absorb of every owned partition, and the count of rebalances."""

    def __init__(self) -> None:
        self.epoch = 0
        self._next: dict[TP, int] = {}

    def lose_all(self) -> None:
        """A rebalance began: nothing is owned until it ends, and what was fetched before it is void."""
        self.epoch += 1
        self._next.clear()

    def own(self, starts: Mapping[TP, int]) -> None:
        """The rebalance ended: these partitions are owned and restored; absorb from these offsets on."""
        self._next = dict(starts)

    def owned(self) -> Mapping[TP, int]:
        """The next offset of each owned partition."""
        return dict(self._next)

    def take(self, epoch: int, runs: Runs) -> Runs:
        """What is to be absorbed of one fetch. A run may be delivered before and after a seek: it is taken once."""
        if epoch != self.epoch:
            return {}
        taken = {}
        for tp, records in runs.items():
            start = self._next.get(tp)
            if start is None:
                continue
            fresh = records if records[0].offset >= start else [r for r in records if r.offset >= start]
            if fresh:
                taken[tp] = fresh
                self._next[tp] = fresh[-1].offset + 1
        return taken
