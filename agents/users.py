"""One user's share of a batch, folded into the profile: declarations, lists that were sent, events, requests."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.knowledge import Knowledge
from agents.known_profiles import Known, KnownProfiles
from agents.packed import PROFILE
from agents.records import Choice, Event, Outcome, Recommendation, Request, User, encode_json, lead_source
from agents.runtime.batch import Record
from agents.settings import Settings
from agents.user_work import UserWork
from models.cooccurrence import Ints
from models.features import Features, pack_features
from models.outcomes import Attributed, ListConfig, act, arrive, choosable, close_old
from models.profile import (
    EarlyAction,
    HistoryChange,
    ListInFlight,
    Profile,
    ProfileConfig,
    absorb_events,
    forget,
    segment_of,
)
from models.second_stage import BERT
from models.shrinking import shrink

MOST_ROW_BYTES = 512 * 1024
"""A message holds 1 MB, and the history goes into candidates too. With ids of 40 bytes it is a history of 10,000."""
MOST_GROWTH = 32 * 1024
"""So much longer a list of 100 items with ids of 256 bytes makes a row. Hardly a record does more, and a message takes
twice what a row may have."""

BEFORE_ERASURE = "before_erasure"
NO_CONSENT = "no_consent"
DOUBLE = "double"


@dataclass
class Folded:
    """What follows from one user's records."""

    user_id: str
    profile: Profile
    erased_ms: int = 0
    """Kafka time up to which nothing of the user counts: of an erasure, or of giving or withdrawing consent."""
    erased: bool = False
    """Whether that time is new and must be remembered."""
    changes: list[HistoryChange] = field(default_factory=list)
    segment: str = ""
    outcomes: list[bytes] = field(default_factory=list)
    triggers: list[Record] = field(default_factory=list)
    requests: list[tuple[Record, Request]] = field(default_factory=list)
    old_requests: list[tuple[Record, Request]] = field(default_factory=list)
    """From before the erasure: they are answered by an outcome, not by a list."""
    numbers: Ints | None = None
    """Of the items of the history, in its order; there where there are triggers or requests."""
    ignored: dict[tuple[str, str], int] = field(default_factory=dict)
    """(topic, reason) → records that changed nothing. No `Counter`: to make one takes ten times as long."""

    def erase(self, at_ms: int) -> None:
        """Begin anew: nothing up to this time counts."""
        self.erased_ms, self.erased = max(self.erased_ms, at_ms), True

    def ignore(self, record: Record, reason: str) -> None:
        """Count a record that changes nothing."""
        why = record.topic, reason
        self.ignored[why] = self.ignored.get(why, 0) + 1


def profile_config(settings: Settings) -> ProfileConfig:
    """The constants of profiles under these settings."""
    kinds = ("view", "click", "like", "share", "cart", "purchase")
    return ProfileConfig(
        strengths={kind: getattr(settings, f"strength_{kind}") for kind in kinds},
        history_size=settings.history_size,
        interest_alpha=settings.interest_alpha,
        interests_kept=settings.interests_kept,
        event_ids_kept=settings.event_ids_kept,
        pair_window=settings.pair_window,
    )


def features_of(lists: Sequence[Recommendation]) -> list[Features]:
    """What profiles keep of the features of each list."""
    return pack_features([[item.features for item in one.items] for one in lists])


def _shrink(folded: Folded) -> None:
    """Give up the oldest part of a history whose row would be too long with one more list, as often as it must be."""
    while (
        len(PROFILE.write(folded.profile)) > MOST_ROW_BYTES - MOST_GROWTH
        and (change := shrink(folded.profile)) is not None
    ):
        folded.changes.append(change)


class UserFolder:
    """Folds the records of one user after the other, each in two steps: between these, lists can be noted."""

    def __init__(self, settings: Settings, knowledge: Knowledge) -> None:
        self._config = profile_config(settings)
        self._lists = ListConfig(settings.lists_in_flight, settings.attribution_events, settings.attribution_s)
        self._trigger_types = frozenset(settings.trigger_types)
        self._segment_attributes = settings.segment_attributes
        self._catalogue, self._items = knowledge.catalogue, knowledge.items
        self._known = KnownProfiles()

    def clear(self) -> None:
        """Forget what was kept of users; it changes no fold."""
        self._known.clear()

    def fold(self, work: UserWork, row: bytes | None, erased_ms: int = 0) -> Folded:
        """Fold a user's records, in this order: declarations, lists, events, requests.

        `erased_ms`: the Kafka time up to which nothing of the user counts; 0: all counts.
        """
        known = self._known.take(work.user_id, row)
        folded = Folded(work.user_id, known.profile, erased_ms)
        for record, user in work.users:
            self._declare(folded, record, user)
        for record, recommendation in work.recommendations:
            self._arrived(folded, record, recommendation)
        if work.events:
            self._absorb(folded, work.events)
        for record, request in work.requests:
            if not folded.profile.consent or record.timestamp > folded.erased_ms:
                folded.requests.append((record, request))
            else:
                folded.old_requests.append((record, request))
                folded.ignore(record, BEFORE_ERASURE)
        folded.segment = segment_of(folded.profile, self._segment_attributes)
        grown = MOST_GROWTH * (len(work.users) + len(work.recommendations) + len(work.events))
        if len(row or b"") + grown > MOST_ROW_BYTES - MOST_GROWTH:
            _shrink(folded)
        folded.numbers = self._numbers(folded, known.numbers)
        return folded

    def note(self, folded: Folded, sent: Recommendation, features: Features, now_ms: int) -> Iterator[bytes]:
        """Let a list, with these features of its items, be in flight that leaves in this transaction; outcomes of those
        that it closes.

        The oldest one beyond the limit stays until the user's next event: most outcomes leave before lists are made.
        """
        if folded.profile.consent:
            yield from self._followed(folded, sent, features, now_ms, more=1)

    def finish(self, folded: Folded) -> bytes | None:
        """The profile's row; None: there is to be none. Nothing of the profile may change afterwards."""
        profile = folded.profile
        if profile == Profile():
            return None
        row = PROFILE.write(profile)
        while len(row) > MOST_ROW_BYTES and profile.lists:
            profile.lists = profile.lists[1:]
            row = PROFILE.write(profile)
        self._known.keep(folded.user_id, row, Known(profile, folded.numbers))
        return row

    def _numbers(self, folded: Folded, numbers: Ints | None) -> Ints | None:
        """Of the items of the history, from those before these changes; None: nobody asks for them."""
        if numbers is not None:
            for change in folded.changes:
                if change.new or change.left:
                    numbers = np.concatenate([numbers, self._items.numbers(change.new)])[change.left :]
        elif folded.triggers or folded.requests:
            numbers = self._items.numbers(folded.profile.contacts.ids())
        return numbers

    def _declare(self, folded: Folded, record: Record, user: User | None) -> None:
        """Attributes, consent, erasure. Without consent nothing but that fact is kept."""
        profile = folded.profile
        if user is None or not user.consent:
            folded.changes.append(forget(profile))
            folded.profile = Profile(consent=user is None)
            folded.erase(record.timestamp)
        elif record.timestamp < folded.erased_ms:
            folded.ignore(record, BEFORE_ERASURE)
        else:
            if not profile.consent:
                folded.erase(record.timestamp - 1)  # what the user did without consent does not count later either
            profile.consent, profile.attributes, profile.declared = True, user.attributes, user.interests

    def _arrived(self, folded: Folded, record: Record, recommendation: Recommendation) -> None:
        profile = folded.profile
        asked_at = recommendation.asked_at
        asked_ms = record.timestamp if asked_at is None else min(record.timestamp, round(asked_at * 1000))
        if not profile.consent or asked_ms <= folded.erased_ms:
            folded.ignore(record, BEFORE_ERASURE if profile.consent else NO_CONSENT)
            return
        (features,) = features_of([recommendation])
        folded.outcomes += self._followed(folded, recommendation, features, record.timestamp)

    def _followed(
        self, folded: Folded, sent: Recommendation, features: Features, sent_ms: int, more: int = 0
    ) -> Iterator[bytes]:
        """Outcomes of a list's arrival."""
        profile = folded.profile
        flight = ListInFlight(
            sent.recommendation_id,
            [item.item_id for item in sent.items],
            features,
            sent_ms,
            profile.events,
            variant=sent.variant,
            sources=[lead_source(item) for item in sent.items],
        )
        return self._written(folded.user_id, arrive(profile, flight, self._lists, more))

    def _absorb(self, folded: Folded, events: list[tuple[Record, Event, int]]) -> None:
        profile = folded.profile
        triggers = self._trigger_types
        if not profile.consent:
            for record, event, _ in events:
                folded.ignore(record, NO_CONSENT)
                if event.event_type in triggers:
                    folded.triggers.append(record)  # a list is owed all the same
            return
        if folded.erased_ms:
            events = list(_after_erasure(folded, events))
        change = absorb_events(profile, [(event, at_ms) for _, event, at_ms in events], self._config, self._words_of())
        folded.changes.append(change)
        if change.doubles:
            for place in change.doubles:
                folded.ignore(events[place][0], DOUBLE)
            events = [entry for place, entry in enumerate(events) if place not in change.doubles]
        follow = profile.lists or profile.early
        for record, event, _ in events:
            if event.event_type in triggers:
                folded.triggers.append(record)
            if event.item_id is not None and (follow or event.recommendation_id):
                action = EarlyAction(event.recommendation_id or "", event.item_id, event.event_type, record.timestamp)
                folded.outcomes += self._written(folded.user_id, act(profile, action, self._lists))
        if profile.lists and events:
            closed = close_old(profile, events[-1][0].timestamp, self._lists)
            folded.outcomes += self._written(folded.user_id, closed)

    def _words_of(self) -> Callable[[str], Sequence[str]] | None:
        return self._catalogue.words_of if len(self._catalogue) else None

    @staticmethod
    def _written(user_id: str, attributed: Iterable[Attributed]) -> Iterator[bytes]:
        features: list[dict[str, float]] = []
        known = None
        for found in attributed:  # one by one: what an item was chosen among is what it is now
            flight = found.flight
            if flight is not known:
                known, features = flight, flight.features.of(range(len(flight.items)))
            yield encode_json(
                Outcome(
                    user_id=user_id,
                    recommendation_id=flight.recommendation_id,
                    outcome=found.kind,
                    timestamp=found.at_ms / 1000,
                    item_id=flight.items[found.place],
                    position=found.place,
                    event_type=found.event_type,
                    variant=flight.variant,
                    features=features[found.place],
                    choice=_choice(found) if found.kind in {"clicked", "bought"} else None,
                    source=flight.sources[found.place] if found.place < len(flight.sources) else "",
                )
            )


def _choice(found: Attributed) -> Choice | None:
    """What an item was chosen among; None: it had been chosen before."""
    positions = choosable(found.flight, found.place)
    columns = dict(found.flight.features.columns(positions))
    if None in columns.get(BERT, ()):
        del columns[BERT]  # not read is not the same as found bad
    features = {name: [number or 0.0 for number in numbers] for name, numbers in columns.items()}
    return Choice(positions, features) if positions else None


def _after_erasure(folded: Folded, events: Iterable[tuple[Record, Event, int]]) -> Iterator[tuple[Record, Event, int]]:
    """The events that happened and were sent after the erasure."""
    for entry in events:
        record, _, at_ms = entry
        if min(record.timestamp, at_ms) > folded.erased_ms:
            yield entry
        else:
            folded.ignore(record, BEFORE_ERASURE)
