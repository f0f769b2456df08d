"""The only place with topic names, keys, partition counts, clean-up and who reads and writes them (design: README)."""

from dataclasses import dataclass
from typing import Literal

from agents.settings import Settings

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Topic:
    """One topic as it exists on the broker."""

    name: str
    partitions: int
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None = None

    def config(self) -> dict[str, str]:
        """Topic-level broker configuration. Producers choose the codec; what they send is stored as it is."""
        config = {"cleanup.policy": self.cleanup, "compression.type": "producer"}
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        if self.cleanup == "compact":
            config["max.compaction.lag.ms"] = str(DAY_MS)  # erased users must leave the log, not only the table
        return config


@dataclass(frozen=True)
class Topics:
    """All topics of one deployment."""

    events: Topic
    items: Topic
    users: Topic
    requests: Topic
    recommendations: Topic
    outcomes: Topic
    cooccurrence: Topic
    neighbours: Topic
    candidates: Topic
    models: Topic
    rules: Topic
    dead_letters: Topic
    profiles_changelog: Topic
    item_rows_changelog: Topic
    live_changelog: Topic

    def all(self) -> tuple[Topic, ...]:
        """Every topic."""
        return tuple(vars(self).values())


def app_id(settings: Settings, worker: str) -> str:
    """Consumer group and Faust app id of a worker kind."""
    return f"{settings.topic_prefix}{worker}"


def changelog_name(settings: Settings, worker: str, table: str) -> str:
    """The changelog topic of a worker's table."""
    return f"{app_id(settings, worker)}-{table}-changelog"


def view_group(settings: Settings) -> str:
    """Group in whose name compacted topics are copied. Nobody joins it."""
    return app_id(settings, "view")


def build_topics(settings: Settings) -> Topics:
    """The topics for these settings."""
    users, items = settings.user_partitions, settings.item_partitions

    def topic(name: str, partitions: int, cleanup: Literal["delete", "compact"], days: int | None = None) -> Topic:
        return Topic(settings.topic_prefix + name, partitions, cleanup, None if days is None else days * DAY_MS)

    return Topics(
        events=topic("events", users, "delete", 30),
        items=topic("items", items, "compact"),
        users=topic("users", users, "compact"),
        requests=topic("requests", users, "delete", 1),
        recommendations=topic("recommendations", users, "delete", 7),
        outcomes=topic("outcomes", users, "delete", 90),
        cooccurrence=topic("cooccurrence", items, "delete", 7),
        neighbours=topic("neighbours", items, "compact"),
        candidates=topic("candidates", users, "delete", 1),
        # The embedded broker gives all its topics the same number of partitions.
        models=topic("models", users if settings.embedded else 1, "compact"),
        rules=topic("rules", users if settings.embedded else 1, "compact"),
        dead_letters=topic("dead-letters", users, "delete", 7),
        profiles_changelog=Topic(changelog_name(settings, "profiles", "profiles"), users, "compact"),
        item_rows_changelog=Topic(changelog_name(settings, "similarity", "item_rows"), items, "compact"),
        live_changelog=Topic(changelog_name(settings, "evaluation", "live"), users, "compact"),
    )
