"""One user's share of a batch, folded into the row of the table `live`."""

from collections.abc import Iterable

from agents.packed import LIVE_USER
from agents.records import NO_SOURCE, Event, Outcome, Recommendation, User, lead_source
from agents.runtime.agent import TransactionLike
from agents.runtime.batch import Record
from agents.user_work import UserWork
from agents.users import BEFORE_ERASURE, NO_CONSENT
from models.live_hits import (
    NO_CONTACT,
    LiveConfig,
    LiveUser,
    act,
    arrive,
    begin,
    drop_old_variants,
    flat_counts,
    note_outcome,
)
from models.user_sums import COUNTERS

Slice = tuple[str, str]
"""Variant and slice."""
Changes = dict[Slice, tuple[list[tuple[int, ...]], list[tuple[int, ...]]]]
"""Slice → counts of users before and after."""
_NOTHING = (0,) * len(COUNTERS)


class LiveFolder:
    """Folds one user's records, as `agents.users` does: nothing from before an erasure or without consent counts."""

    def __init__(
        self, config: LiveConfig, experiment: str, row: bytes | None, erased_ms: int, changes: Changes
    ) -> None:
        self._config, self._experiment, self._changes = config, experiment, changes
        self._user = LIVE_USER.read(row) if row is not None else LiveUser()
        begin(self._user, experiment)
        self._before = flat_counts(self._user)
        self.erased_ms, self.erased = erased_ms, False

    def fold(
        self, work: UserWork, outcomes: Iterable[tuple[Record, Outcome]], transaction: TransactionLike
    ) -> bytes | None:
        """The user's new row; None: there is to be none."""
        for record, declared in work.users:
            self._declare(record, declared, transaction)
        for record, recommendation in work.recommendations:
            self._arrived(record, recommendation, transaction)
        for record, outcome in outcomes:
            if self._counts(record, record.timestamp, transaction) and outcome.item_id is not None:
                source, position = outcome.source or NO_SOURCE, outcome.position or 0
                note_outcome(self._user, outcome.variant, outcome.outcome, source, position, outcome.recommendation_id)
        for record, event, at_ms in work.events:
            self._acted(record, event, at_ms, transaction)
        self._settle()
        drop_old_variants(self._user)
        return None if self._user == LiveUser(experiment=self._experiment) else LIVE_USER.write(self._user)

    def _counts(self, record: Record, at_ms: int, transaction: TransactionLike) -> bool:
        """Whether a record of this time counts; one that does not is counted as ignored."""
        if self._user.consent and at_ms > self.erased_ms:
            return True
        transaction.ignore(record.topic, BEFORE_ERASURE if self._user.consent else NO_CONSENT, 1)
        return False

    def _declare(self, record: Record, declared: User | None, transaction: TransactionLike) -> None:
        if declared is None or not declared.consent:
            # Declarations come first: no count has changed yet. What there is stays in the sums.
            self._user, self._before = LiveUser(consent=declared is None, experiment=self._experiment), {}
            self._erase(record.timestamp)
        elif record.timestamp < self.erased_ms:
            transaction.ignore(record.topic, BEFORE_ERASURE, 1)
        elif not self._user.consent:
            self._user.consent = True
            self._erase(record.timestamp - 1)

    def _erase(self, at_ms: int) -> None:
        self.erased_ms, self.erased = max(self.erased_ms, at_ms), True

    def _arrived(self, record: Record, one: Recommendation, transaction: TransactionLike) -> None:
        asked_ms = record.timestamp if one.asked_at is None else min(record.timestamp, round(one.asked_at * 1000))
        if self._counts(record, asked_ms, transaction):
            items, sources = [item.item_id for item in one.items], [lead_source(item) for item in one.items]
            place = (record.timestamp, record.offset)
            arrive(self._user, place, one.variant, items, sources, self._config, one.recommendation_id)

    def _acted(self, record: Record, event: Event, at_ms: int, transaction: TransactionLike) -> None:
        counts = self._counts(record, min(record.timestamp, at_ms), transaction)
        if counts and event.item_id is not None and event.event_type not in NO_CONTACT:
            act(self._user, event.item_id, record.timestamp, self._config)

    def _settle(self) -> None:
        """Note how the user's counts changed: for the sums."""
        after = flat_counts(self._user)
        for place in {**self._before, **after}:
            was, is_now = self._before.get(place, _NOTHING), after.get(place, _NOTHING)
            if was != is_now:
                before, now = self._changes.setdefault(place, ([], []))
                before.append(was)
                now.append(is_now)
        self._before = after
