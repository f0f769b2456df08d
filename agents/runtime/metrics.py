"""Metrics of a worker, for Prometheus. Names, kinds and meanings are `METRICS`; the README tells of each."""

from dataclasses import dataclass
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Name = Literal[
    "records_absorbed_total",
    "batch_records",
    "batch_seconds",
    "commit_seconds",
    "rows_written_total",
    "row_bytes_total",
    "sent_total",
    "sent_bytes_total",
    "dead_letters_total",
    "forwarded_total",
    "ignored_total",
    "restored_rows_total",
    "restored_bytes_total",
    "restore_left_records",
    "restore_seconds",
    "standby_rows_total",
    "standby_left_records",
    "view_records_total",
    "view_bad_records_total",
    "rebalances_total",
    "lists_total",
    "expired_total",
    "stale_total",
    "unknown_variants_total",
    "score_seconds",
    "pairs_scored_total",
    "shadow_lists_total",
    "shadow_agreement_total",
    "choices_learned_total",
    "ranker_active",
    "ranker_gain",
    "ranker_gain_error",
    "live_users",
    "live_lists",
    "live_events",
    "live_places",
    "live_shown",
    "live_clicked",
    "live_bought",
    "live_skipped",
    "live_hits",
]
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Metric:
    """What one metric is."""

    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_VARIANT = ("variant",)
_SOURCE = ("variant", "source")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COUNTS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)

METRICS: dict[Name, Metric] = {
    "records_absorbed_total": Metric("counter", "Source records absorbed, by topic.", ("topic",)),
    "batch_records": Metric("histogram", "Records in a batch.", (), _COUNTS),
    "batch_seconds": Metric("histogram", "Seconds from the begin of a transaction to its end.", (), _SECONDS),
    "commit_seconds": Metric("histogram", "Seconds that the broker took to commit a transaction.", (), _SECONDS),
    "rows_written_total": Metric("counter", "Table rows written."),
    "row_bytes_total": Metric("counter", "Bytes of table rows written, before compression."),
    "sent_total": Metric("counter", "Records sent, by topic.", ("topic",)),
    "sent_bytes_total": Metric("counter", "Bytes of records sent, by topic, before compression.", ("topic",)),
    "dead_letters_total": Metric("counter", "Bad records, by topic and reason.", ("topic", "reason")),
    "forwarded_total": Metric("counter", "Records sent on to the partition they belong to, by topic.", ("topic",)),
    "ignored_total": Metric("counter", "Good records that changed nothing, by topic and reason.", ("topic", "reason")),
    "restored_rows_total": Metric("counter", "Changelog records read to restore the table."),
    "restored_bytes_total": Metric("counter", "Bytes of the values of those records."),
    "restore_left_records": Metric("gauge", "Changelog records that a restore has still to read, at most."),
    "restore_seconds": Metric("histogram", "Seconds that a restore took.", (), (*_SECONDS, 30.0, 120.0, 600.0)),
    "standby_rows_total": Metric("counter", "Changelog rows of other workers' partitions copied into standby stores."),
    "standby_left_records": Metric("gauge", "Changelog records that the standby stores are behind, at most."),
    "view_records_total": Metric("counter", "Records read into a view, by topic.", ("topic",)),
    "view_bad_records_total": Metric("counter", "Records that a view skipped because they are bad.", ("topic",)),
    "rebalances_total": Metric("counter", "Rebalances of the consumer group that this worker took part in."),
    "lists_total": Metric(
        "counter", "Ranked lists sent, by whether a part of the scoring was left out.", ("degraded",)
    ),
    "expired_total": Metric("counter", "Requests whose deadline passed before they had a list."),
    "stale_total": Metric("counter", "Triggering events that were too old for a list."),
    "unknown_variants_total": Metric("counter", "Lists of variants that the scorer's settings do not name."),
    "pairs_scored_total": Metric("counter", "Candidates that the cross-encoder read."),
    "shadow_lists_total": Metric("counter", "Lists whose candidates the shadow read too."),
    "shadow_agreement_total": Metric(
        "counter", "Summed over these: share of pairs of candidates that shadow and cross-encoder order alike."
    ),
    "score_seconds": Metric("histogram", "Seconds to rank a batch of lists.", (), _SECONDS),
    "choices_learned_total": Metric("counter", "Clicks and purchases in lists that the learner learned from."),
    "ranker_active": Metric("gauge", "1: the learned weights are better and to be used; 0: they are not."),
    "ranker_gain": Metric("gauge", "How much likelier, in nats, choices are by the learned weights than by the blend."),
    "ranker_gain_error": Metric("gauge", "Standard error of that; infinite while there are too few choices."),
    "live_users": Metric(
        "gauge", "Users with lists, by variant; like all live_… of the worker's partitions.", _VARIANT
    ),
    "live_lists": Metric("gauge", "Lists sent.", _VARIANT),
    "live_events": Metric("gauge", "Events on new items that were compared with a list.", _VARIANT),
    "live_places": Metric("gauge", "Places of lists, by leading source.", _SOURCE),
    "live_shown": Metric("gauge", "Places that the application says were shown.", _SOURCE),
    "live_clicked": Metric("gauge", "Places that were clicked.", _SOURCE),
    "live_bought": Metric("gauge", "Places that were bought.", _SOURCE),
    "live_skipped": Metric("gauge", "Places that nobody touched until the list was closed, or disliked.", _SOURCE),
    "live_hits": Metric("gauge", "Compared events whose item was among the first of the list.", _SOURCE),
}


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        for name in get_args(Name):
            metric = METRICS[name]
            full = f"profilestream_{name}"
            if metric.kind == "histogram":
                self._made[name] = Histogram(
                    full, metric.meaning, metric.labels, buckets=metric.buckets, registry=self.registry
                )
            elif metric.kind == "counter":
                self._made[name] = Counter(full, metric.meaning, metric.labels, registry=self.registry)
            else:
                self._made[name] = Gauge(full, metric.meaning, metric.labels, registry=self.registry)

    def add(self, name: Name, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        metric = self._made[name]
        assert isinstance(metric, Counter)
        (metric.labels(**labels) if labels else metric).inc(amount)

    def observe(self, name: Name, value: float) -> None:
        """Put a value into a histogram."""
        metric = self._made[name]
        assert isinstance(metric, Histogram)
        metric.observe(value)

    def set(self, name: Name, value: float, **labels: str) -> None:
        """Set a gauge."""
        metric = self._made[name]
        assert isinstance(metric, Gauge)
        (metric.labels(**labels) if labels else metric).set(value)
