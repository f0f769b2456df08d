"""All three agents in one process: events and requests in, ranked lists out, as the workers make them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from agents.evaluation.memory import MemoryLog, MemoryTable, MemoryTransaction
from agents.profiles import ProfilesAgent
from agents.records import Item, Recommendation, Request, encode_json, read_catalogue
from agents.runtime.metrics import Metrics
from agents.scorer import Scorer, load_encoder
from agents.scoring.vector_store import VectorStore
from agents.settings import Settings
from agents.similarity import SimilarityAgent
from agents.topics import build_topics

PARTITION = 0
TICK_MS = 1_000
"""What passes between two looks at new neighbours: as much as is published in a second is published then."""

_RECOMMENDATION = msgspec.json.Decoder(Recommendation)


def evaluation_settings(settings: Settings) -> Settings:
    """The settings with one partition, lists on request only and of any age, and without Kafka's limits of time.

    All users are in the default variant: to evaluate another one, its settings are given to all.
    """
    changed = {"user_partitions": 1, "item_partitions": 1, "trigger_types": (), "trigger_max_age_s": 0.0}
    return settings.model_copy(update={**changed, "variants": {}})


class Pipeline:
    """The profiles, similarity and scorer agents on a log in memory.

    Profiles are current after every `absorb`; neighbours and popularity follow with every `tick`, within the budget
    that `rows_published_per_s` gives for a second.
    """

    def __init__(self, settings: Settings, now_ms: int) -> None:
        """Raises `SetupError` if the model that the settings name cannot be loaded."""
        settings = evaluation_settings(settings)
        self._topics = build_topics(settings)
        self._log, self._played_ms = MemoryLog(now_ms), now_ms
        self._profiles, self._profile_table = ProfilesAgent(settings), MemoryTable()
        self._similarity, self._row_table = SimilarityAgent(settings), MemoryTable()
        encoder = load_encoder(settings)
        folder = settings.data_dir / f"{settings.topic_prefix}evaluation"
        self._vectors = VectorStore(folder, encoder.version, encoder.dimension) if encoder is not None else None
        self._scorer = Scorer(settings, encoder, self._vectors, Metrics())
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

    def ask(self, users: Sequence[str], k: int) -> list[Recommendation]:
        """A list of k items for each user, as of now, in order."""
        for user in users:
            self._log.send(self._topics.requests.name, PARTITION, user.encode(), encode_json(Request(user, k=k)))
        self._run_profiles(self._topics.requests.name)
        transaction = MemoryTransaction(self._log, MemoryTable())
        self._scorer.absorb(self._log.take(self._topics.candidates.name), transaction)
        made = map(_RECOMMENDATION.decode, self._taken(self._topics.recommendations.name))
        by_user = {one.user_id: one for one in made}
        return [by_user[user] for user in users]

    def tick(self) -> None:
        """A second passes: co-counts that came become item rows, and neighbours are published."""
        self._log.now_ms += TICK_MS
        batch = self._log.take(self._topics.cooccurrence.name)
        self._similarity.absorb(batch, MemoryTransaction(self._log, self._row_table))
        neighbours = self._profiles.knowledge.neighbours
        for _, records in self._log.take(self._topics.neighbours.name).of(self._topics.neighbours.name):
            for record in records:
                neighbours.put(record.key or b"", record.value)

    def settle(self) -> None:
        """Let seconds pass until all neighbours are published."""
        self.tick()
        while self._similarity.pending():
            self.tick()

    def _run_profiles(self, topic: str) -> None:
        transaction = MemoryTransaction(self._log, self._profile_table)
        self._profiles.absorb(self._log.take(topic), transaction)
        self._log.take(self._topics.outcomes.name)

    def _taken(self, topic: str) -> Iterator[bytes]:
        for _, records in self._log.take(topic).of(topic):
            yield from (record.value or b"" for record in records)
