"""The whole audit: user partitions one after the other, then item partitions."""

import secrets
from collections.abc import Callable

from agents.settings import Settings
from agents.topics import build_topics
from agents.verify.moment import find_moment
from agents.verify.profiles import UserPartition
from agents.verify.reading import Reader
from agents.verify.report import PartReport, Report
from agents.verify.rows import ItemPartition
from agents.verify.sources import Forwards
from agents.verify.table import HistorySums
from agents.verify.words import CatalogueWords


def audit(settings: Settings, *, at_rest: bool = False, done: Callable[[PartReport], None] = lambda _: None) -> Report:
    """Recompute and compare everything. Raises `BrokerError`.

    `settings` must be the workers'. `at_rest`: nothing flows any more, so that everything must have been published.
    `done` is told each partition. In memory: the rows of one partition at a time, and some numbers for each item.
    """
    topics, reader, report = build_topics(settings), Reader(settings), Report()
    histories = HistorySums(settings.pair_window, settings.item_partitions, secrets.randbits(64))
    words, forwards = CatalogueWords(), Forwards()

    def add(part: PartReport) -> None:
        report.parts.append(part)
        done(part)

    try:
        moment = find_moment(reader, topics)
        words.read(reader, topics.items)
        for p in range(topics.events.partitions):
            part = UserPartition(reader, settings, topics, p, moment, words, histories, forwards).run()
            if p == topics.events.partitions - 1:
                forwards.check(part)
            add(part)
        for q in range(topics.cooccurrence.partitions):
            add(ItemPartition(reader, settings, topics, q, moment, histories, at_rest).run())
    finally:
        reader.close()
    return report
