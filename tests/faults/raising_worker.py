"""The profiles worker, except that it cannot absorb one item: `python -m tests.faults.raising_worker`.

It raises when all its work on the batch is done: rows are written, records sent, and none of it may be seen.
"""

from agents import profiles
from agents.runtime.agent import TransactionLike
from agents.runtime.batch import Batch
from agents.settings import read_settings
from tests.broker.ledger import CRASHING_ITEM

MARK = CRASHING_ITEM.encode()


class RaisingAgent(profiles.ProfilesAgent):
    """The agent with a fault in it."""

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Absorb, then fail if one of the events is about the item."""
        super().absorb(batch, transaction)
        if any(MARK in (record.value or b"") for records in batch.runs.values() for record in records):
            raise ValueError("an item that this worker cannot absorb")


if __name__ == "__main__":
    profiles.ProfilesAgent = RaisingAgent  # type: ignore[misc]
    profiles.run(read_settings())
