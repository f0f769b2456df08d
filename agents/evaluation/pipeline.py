"""All three agents in one process: events and requests in, ranked lists out, as the workers make them."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.errors import SetupError
from agents.evaluation.events import EvaluationEvent
from agents.evaluation.memory import MemoryLog, MemoryTable, MemoryTransaction
from agents.learner import LearnerAgent
from agents.packed import CANDIDATES, PROFILE
from agents.profiles import ProfilesAgent
from agents.ranker import RANKER, read_version
from agents.records import Filters, Item, ModelVersion, Recommendation, Request, Rule, encode_json, read_catalogue
from agents.rules import read_rule
from agents.runtime.batch import Batch
from agents.runtime.metrics import Metrics
from agents.scoring.lists import ListMaker, rank_config
from agents.scoring.models import ANNOUNCED, load_encoder, load_second_stage
from agents.scoring.scorer import Scorer
from agents.scoring.vector_store import VectorStore
from agents.scoring.views import read_taken
from agents.security import variable
from agents.settings import Settings
from agents.similarity import SimilarityAgent
from agents.topics import build_topics
from models.experiment import DEFAULT
from models.profile import Profile, ratings_given

PARTITION = 0
SCORER = "scorer"
TRAINED_AT_ONCE = 1_000
TICK_MS = 1_000
"""What passes between two looks at new neighbours: as much as is published in a second is published then."""

_RECOMMENDATION = msgspec.json.Decoder(Recommendation)


def evaluation_settings(settings: Settings) -> Settings:
    """The settings with one partition, lists on request only and of any age, and without Kafka's limits of time.

    All users are in the default variant: to evaluate another one, its settings are given to all.
    """
    changed = {
        "user_partitions": 1,
        "item_partitions": 1,
        "trigger_types": (),
        "trigger_max_age_s": 0.0,
        "lists_by": "scorer",
    }
    changed["scorer_batch"] = sys.maxsize  # no batch is a backlog
    return settings.model_copy(update={**changed, "variants": {}})


class Pipeline:
    """The profiles, similarity and scorer agents on a log in memory.

    Profiles are current after every `absorb`; neighbours and popularity follow with every `tick`, within the budget
    that `rows_published_per_s` gives for a second.
    """

    def __init__(self, settings: Settings, now_ms: int, feedback: bool = False) -> None:
        """`feedback`: what users take from their lists teaches the learner, whose weights the scorer follows.

        Raises `SetupError` if a model that the settings name cannot be loaded.
        """
        settings = evaluation_settings(settings)
        self._topics = build_topics(settings)
        self._log, self._played_ms = MemoryLog(now_ms), now_ms
        self._recent = settings.recent_items
        self._profiles, self._profile_table = ProfilesAgent(settings, Metrics()), MemoryTable()
        self._similarity, self._row_table = SimilarityAgent(settings), MemoryTable()
        self._encoder = encoder = load_encoder(settings)
        folder = settings.data_dir / f"{settings.topic_prefix}evaluation"
        self._vectors = VectorStore(folder, encoder.version, encoder.dimension) if encoder is not None else None
        if settings.cross_model == ANNOUNCED:
            raise SetupError(f"{variable('cross_model')}: name a model: here nothing is announced")
        # By this clock no list is late, however long it takes.
        self._second = second = load_second_stage(settings, settings.cross_model, lambda: 0.0)
        self._scorer = Scorer(settings, encoder, self._vectors, Metrics(), second)
        self._learner = LearnerAgent(settings, Metrics()) if feedback else None
        self.ranker: ModelVersion | None = None
        """What the learner published last."""
        self._later: list[tuple[bytes, bytes, Item]] = []
        """Catalogue entries that come into the catalogue later, the next one last: key, value, and what it says."""
        self._profiles.assigned(frozenset({PARTITION}), self._profile_table)
        self._similarity.assigned(frozenset({PARTITION}), self._row_table)

    @property
    def rejected(self) -> Counter[str]:
        """Records that a worker would have put into the dead letters, by reason."""
        return self._log.rejected

    def put_items(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Take over catalogue entries, rows as values of the topic `items`; those of the future when their time comes.

        Raises `RecordError` for a bad one.
        """
        for item in items:
            key, value = item["item_id"].encode(), json.dumps(item).encode()
            self._later.append((key, value, read_catalogue(key, value)))
        self._later.sort(key=lambda entry: (entry[2].added_at or 0.0, *entry[:2]), reverse=True)
        self._put_due()

    def put_rules(self, rules: Iterable[Rule]) -> None:
        """Take over rules. Raises `RecordError` for a bad one."""
        for rule in rules:
            key, value = rule.name.encode(), encode_json(rule)
            self._profiles.knowledge.rules.put(key, value)
            self._scorer.follow(rules=[(key, read_rule(key, value))])

    def close(self) -> None:
        """Let go of the file of vectors."""
        if self._vectors is not None:
            self._vectors.close()

    def _put_due(self) -> None:
        catalogue = self._scorer.catalogue
        while self._later and (self._later[-1][2].added_at or 0.0) * 1000 <= self._played_ms:
            key, value, item = self._later.pop()
            self._profiles.knowledge.entries.put(key, value)
            catalogue.update([(key, item)])
        while catalogue.waiting:
            catalogue.embed_some()

    def absorb(self, events: Sequence[tuple[bytes, bytes]], at_ms: int) -> None:
        """Fold events, (key, value) as in the topic `events`, into profiles and co-counts."""
        self._played_ms = max(self._played_ms, at_ms)
        self._put_due()
        for key, value in events:
            self._log.send(self._topics.events.name, PARTITION, key, value, timestamp_ms=at_ms)
        self._run_profiles(self._topics.events.name)
        self._learn()

    def train(self, events: Sequence[EvaluationEvent]) -> Iterator[Sequence[EvaluationEvent]]:
        """Absorb events, a part in each second, and give each part when that is done; then neighbours settle."""
        for start in range(0, len(events), TRAINED_AT_ONCE):
            part = events[start : start + TRAINED_AT_ONCE]
            self.absorb([event.record() for event in part], part[-1].at_ms)
            self.tick()
            yield part
        self.settle()

    def more_scorers(self, settings: Mapping[str, Settings]) -> dict[str, ListMaker]:
        """Makers of lists under other settings of the scorer, from the same candidates."""
        index = self._scorer.catalogue.index
        new = self._scorer.new_items
        return {
            name: ListMaker(index, rank_config(one), self._encoder, new_items=new, second=self._second)
            for name, one in settings.items()
        }

    def ask(self, users: Mapping[str, int], k: int, filters: Filters | None = None) -> list[Recommendation]:
        """A list of k items for each user, in order, as of now; `users`: who asks, and when, in ms (0: now)."""
        return self.ask_all(users, k, {SCORER: None}, filters)[SCORER]

    def ask_all(
        self, users: Mapping[str, int], k: int, makers: Mapping[str, ListMaker | None], filters: Filters | None = None
    ) -> dict[str, list[Recommendation]]:
        """The lists of each maker, of the same candidates; None: the scorer's own."""
        for user, at_ms in users.items():
            value = encode_json(Request(user, k=k, filters=filters or Filters()))
            self._log.send(
                self._topics.requests.name, PARTITION, user.encode(), value, timestamp_ms=at_ms or self._played_ms
            )
        self._run_profiles(self._topics.requests.name)
        transaction = MemoryTransaction(self._log, MemoryTable())
        batch = self._log.take(self._topics.candidates.name)
        self._scorer.absorb(batch, transaction)
        sent = self._log.take(self._topics.recommendations.name)
        if self._learner is not None:
            self._profiles.absorb(sent, MemoryTransaction(self._log, self._profile_table))
        scored = list(map(_RECOMMENDATION.decode, _values(sent)))
        others = any(maker is not None for maker in makers.values())
        candidates = list(map(CANDIDATES.read, _values(batch))) if others else []
        lists = {}
        for name, maker in makers.items():
            made = scored if maker is None else maker.make(candidates, transaction.now_ms / 1000)
            by_user = {one.user_id: one for one in made}
            lists[name] = [by_user[user] for user in users]
        return lists

    def expected_ratings(self, user: str, items: Sequence[str]) -> NDArray[np.float32]:
        """What lists of the user would say of the ratings of these items [len(items)]; NaN: the user rated nothing."""
        (row,) = self._profile_table.read(PARTITION, [user.encode()])
        profile, knowledge = Profile() if row is None else PROFILE.read(row), self._profiles.knowledge
        recent, contacts = profile.contacts.newest(self._recent)
        given = ratings_given(contacts)
        if given is None:
            return np.full(len(items), np.nan, np.float32)
        numbers, selector = knowledge.items.numbers, knowledge.selectors[DEFAULT]
        return selector.rate(numbers(items), numbers(recent), given)

    def tick(self) -> None:
        """A second passes: co-counts that came become item rows, and neighbours are published."""
        self._log.now_ms += TICK_MS
        batch = self._log.take(self._topics.cooccurrence.name)
        self._similarity.absorb(batch, MemoryTransaction(self._log, self._row_table))
        views = self._profiles.knowledge.neighbours, self._similarity.view
        for _, records in self._log.take(self._topics.neighbours.name).of(self._topics.neighbours.name):
            for record in records:
                key, value = record.key or b"", record.value
                for view in views:
                    view.put(key, value)
                self._scorer.follow(taken=[(key, None if value is None else read_taken(key, value))])
        self._similarity.refresh()  # what it published may make other rows stale

    def settle(self) -> None:
        """Let seconds pass until all neighbours are published."""
        self.tick()
        while self._similarity.pending():
            self.tick()

    def _run_profiles(self, topic: str) -> None:
        transaction = MemoryTransaction(self._log, self._profile_table)
        self._profiles.absorb(self._log.take(topic), transaction)

    def _learn(self) -> None:
        """What came of the lists teaches the learner; the scorer follows."""
        outcomes = self._log.take(self._topics.outcomes.name)
        if self._learner is None or not len(outcomes):
            return
        self._learner.absorb(outcomes, MemoryTransaction(self._log, MemoryTable()))
        for _, records in self._log.take(self._topics.models.name).of(self._topics.models.name):
            models = [(record.key or b"", read_version(record.key or b"", record.value or b"")) for record in records]
            self._scorer.follow(models=models)
            self.ranker = next((model for key, model in reversed(models) if key == RANKER), self.ranker)


def _values(batch: Batch) -> Iterator[bytes]:
    for records in batch.runs.values():
        yield from (record.value or b"" for record in records)
