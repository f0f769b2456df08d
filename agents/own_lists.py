"""Lists that a profiles worker makes itself: a hop and a transaction less than by way of a scorer.

The profile has such a list from the transaction on that sends it. A header says so, and what carries it is passed over
when it comes back by `recommendations`: to read it again, and write the profile again, would cost as much as an event.
"""

from collections.abc import Sequence

from agents.packed import Candidates
from agents.records import NOTED_HEADER
from agents.runtime.agent import TransactionLike
from agents.runtime.batch import Batch
from agents.runtime.metrics import Metrics
from agents.scoring.scorer import Scorer
from agents.scoring.views import Views
from agents.settings import Settings
from agents.topics import build_topics
from agents.users import Folded, UserFolder, features_of

_NOTED = [(NOTED_HEADER, b"1")]


def without_noted(batch: Batch, topic: str) -> Batch:
    """The batch without the lists, records of `topic`, that profiles have already."""
    return Batch(
        {
            tp: [record for record in records if all(name != NOTED_HEADER for name, _ in record.headers)]
            if tp.topic == topic
            else records
            for tp, records in batch.runs.items()
        }
    )


class OwnLists:
    """Makes the lists of a profiles worker: what a scorer makes of the same candidates where no model reads texts.

    A fault in it ends the batch of the events: the record at fault becomes a dead letter, and is in no history.
    """

    def __init__(self, settings: Settings, users: UserFolder, metrics: Metrics) -> None:
        self._users, self._outcomes = users, build_topics(settings).outcomes.name
        self._scorer = Scorer(settings, None, None, metrics)
        self.views = Views(settings)

    def refresh(self) -> None:
        """Take over what is new of the catalogue, of rules and of what was learned."""
        self._scorer.follow(*self.views.drain())

    def send(self, wanted: Sequence[tuple[int, Folded, Candidates]], transaction: TransactionLike) -> None:
        """Send a list for each (partition, user, candidates), and note it in the profile."""
        if not wanted:
            return
        asked = [(partition, candidates) for partition, _, candidates in wanted]
        lists = self._scorer.send_lists(asked, transaction, _NOTED)
        for (partition, folded, _), sent, features in zip(wanted, lists, features_of(lists), strict=True):
            for outcome in self._users.note(folded, sent, features, transaction.now_ms):
                transaction.send(self._outcomes, partition, folded.user_id.encode(), outcome)
