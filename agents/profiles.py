"""The profiles worker: events, users, requests, recommendations → profiles, co-counts, candidates, outcomes."""

from collections import Counter
from typing import NoReturn

from agents.cooccurrence import CoCountsWriter
from agents.cuts import Cut, cut_header
from agents.erasures import Erasures
from agents.intake import Intake
from agents.knowledge import Knowledge
from agents.lists import CandidatesWriter
from agents.runtime.agent import TableReader, TransactionLike
from agents.runtime.batch import Batch
from agents.runtime.worker import WorkerSpec, run_worker
from agents.settings import Settings
from agents.topics import build_topics
from agents.user_work import group_by_user
from agents.users import UserFolder


class ProfilesAgent:
    """One batch at a time: read the rows of its users, fold their records, write the rows, send what follows."""

    def __init__(self, settings: Settings) -> None:
        self._topics = build_topics(settings)
        self.knowledge = Knowledge(settings)
        self._intake = Intake(settings)
        self._users = UserFolder(settings, self.knowledge)
        self._pairs = CoCountsWriter(self.knowledge.items, settings.item_partitions, settings.pair_window)
        self._erasures = Erasures(settings.erasure_kept_days)
        self._candidates = CandidatesWriter(settings, self.knowledge)

    def assigned(self, partitions: frozenset[int], table: TableReader) -> None:
        """Load who was erased, and forget users that may be another worker's now."""
        self._erasures.load(partitions, table)
        self._users.clear()
        if self.knowledge.active is not None:
            self.knowledge.active.clear()

    def pending(self) -> bool:
        """Nothing to do without input."""
        return False

    def refresh(self) -> None:
        """Take over new neighbours and catalogue entries."""
        self.knowledge.refresh()

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Fold a batch into the profiles."""
        self.knowledge.refresh()
        self.knowledge.relist(transaction.now_ms)
        work = group_by_user(batch, self._topics, self._intake, transaction)
        for partition, users in work.items():
            rows = transaction.read(partition, list(users))
            for (key, user), row in zip(users.items(), rows, strict=True):
                folded = self._users.fold(user, row, self._erasures.of(partition, key))
                if folded.row != row:
                    transaction.write(partition, key, folded.row)
                if folded.erased:
                    self._erasures.note(partition, key, folded.erased_ms, transaction)
                for (topic, reason), count in folded.ignored.items():
                    transaction.ignore(topic, reason, count)
                for change in folded.changes:
                    self._pairs.add(change, folded.segment)
                for outcome in folded.outcomes:
                    transaction.send(self._topics.outcomes.name, partition, key, outcome)
                self.knowledge.follow_user(key, folded.profile)
                self._candidates.want(partition, key, folded)
        messages = list(self._pairs.messages())
        left = Counter(target for target, _ in messages)
        places = transaction.places({tp.partition for tp in batch.runs}) if messages else {}
        for target, message in messages:
            left[target] -= 1
            headers = cut_header(Cut(places, left[target]))
            transaction.send(self._topics.cooccurrence.name, target, None, message, headers)
        self._candidates.send(transaction)
        self._erasures.let_go(transaction)


def run(settings: Settings) -> NoReturn:
    """Work until told to stop or an error. Does not return: the process ends with the exit code."""
    agent = ProfilesAgent(settings)
    topics = build_topics(settings)
    sources = (topics.events, topics.users, topics.requests, topics.recommendations)
    run_worker(settings, WorkerSpec("profiles", sources, "profiles", agent.knowledge.views), agent)
