"""The profiles worker: events, users, requests, lists → profiles, co-counts, outcomes, and candidates or lists."""

from collections import Counter
from typing import Any, NoReturn

from agents.cooccurrence import CoCountsWriter
from agents.cuts import Cut, cut_header
from agents.erasures import Erasures
from agents.intake import Intake
from agents.knowledge import Knowledge
from agents.lists import CandidatesWriter
from agents.own_lists import OwnLists, without_noted
from agents.packed import CANDIDATES
from agents.runtime.agent import TableReader, TransactionLike
from agents.runtime.batch import Batch
from agents.runtime.metrics import Metrics
from agents.runtime.view import View
from agents.runtime.worker import WorkerSpec, run_worker
from agents.settings import Settings
from agents.topics import build_topics
from agents.user_work import group_by_user
from agents.users import Folded, UserFolder

MOST_WITH_LISTS = 2_000
"""Records of a batch whose lists are made in its transaction, which must not outlast `transaction_timeout_ms`: a list
takes up to a millisecond."""


class ProfilesAgent:
    """One batch at a time: read the rows of its users, fold their records, write the rows, send what follows."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._topics = build_topics(settings)
        self.knowledge = Knowledge(settings)
        self._intake = Intake(settings)
        self._users = UserFolder(settings, self.knowledge)
        self._pairs = CoCountsWriter(self.knowledge.items, settings.item_partitions, settings.pair_window)
        self._erasures = Erasures(settings.erasure_kept_days)
        self._candidates = CandidatesWriter(settings, self.knowledge)
        self.lists = OwnLists(settings, self._users, metrics) if settings.lists_by == "profiles" else None
        """None: a scorer makes the lists."""

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
        if self.lists is not None:
            self.lists.refresh()

    def absorb(self, batch: Batch, transaction: TransactionLike) -> None:
        """Fold a batch into the profiles."""
        self.refresh()
        self.knowledge.relist(transaction.now_ms)
        batch = without_noted(batch, self._topics.recommendations.name)
        work = group_by_user(batch, self._topics, self._intake, transaction)
        users: list[tuple[int, bytes, bytes | None, Folded]] = []
        for partition, of_users in work.items():
            rows = transaction.read(partition, list(of_users))
            for (key, user), row in zip(of_users.items(), rows, strict=True):
                folded = self._users.fold(user, row, self._erasures.of(partition, key))
                self._tell(partition, key, folded, transaction)
                self.knowledge.follow_user(key, folded.profile)  # before lists are made: who is gone speaks for nobody
                self._candidates.want(partition, key, folded)
                users.append((partition, key, row, folded))
        self._send_pairs(batch, transaction)
        if self._candidates.waiting:
            transaction.pass_on()
            self._send_lists(transaction)
        for partition, key, before, folded in users:
            row = self._users.finish(folded)
            if row != before:
                transaction.write(partition, key, row)
        self._erasures.let_go(transaction)

    def _tell(self, partition: int, key: bytes, folded: Folded, transaction: TransactionLike) -> None:
        """Send, or note, what followed from one user's records."""
        if folded.erased:
            self._erasures.note(partition, key, folded.erased_ms, transaction)
        for (topic, reason), count in folded.ignored.items():
            transaction.ignore(topic, reason, count)
        for change in folded.changes:
            self._pairs.add(change, folded.segment)
        for outcome in folded.outcomes:
            transaction.send(self._topics.outcomes.name, partition, key, outcome)

    def _send_lists(self, transaction: TransactionLike) -> None:
        """Lists, or the candidates for them, for all that want one."""
        wanted = self._candidates.take(transaction)
        if self.lists is not None:
            self.lists.send(wanted, transaction)
            return
        for partition, folded, candidates in wanted:
            key, value = folded.user_id.encode(), CANDIDATES.write(candidates)
            transaction.send(self._topics.candidates.name, partition, key, value)

    def _send_pairs(self, batch: Batch, transaction: TransactionLike) -> None:
        messages = list(self._pairs.messages())
        left = Counter(target for target, _ in messages)
        places = transaction.places({tp.partition for tp in batch.runs}) if messages else {}
        for target, message in messages:
            left[target] -= 1
            headers = cut_header(Cut(places, left[target]))
            transaction.send(self._topics.cooccurrence.name, target, None, message, headers)


def run(settings: Settings) -> NoReturn:
    """Work until told to stop or an error. Does not return: the process ends with the exit code."""
    if settings.lists_by == "profiles":
        settings = settings.model_copy(update={"max_batch_records": min(settings.max_batch_records, MOST_WITH_LISTS)})
    topics, metrics = build_topics(settings), Metrics()
    agent = ProfilesAgent(settings, metrics)
    sources = (topics.events, topics.users, topics.requests, topics.recommendations)
    views: tuple[View[Any], ...] = agent.knowledge.views
    if agent.lists is not None:
        views += agent.lists.views.all
    run_worker(settings, WorkerSpec("profiles", sources, "profiles", views), agent, metrics)
