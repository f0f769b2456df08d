"""One user's share of a batch, folded into the profile: declarations, lists that were sent, events, requests."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from agents.knowledge import Knowledge
from agents.packed import PROFILE
from agents.records import Event, Outcome, Recommendation, Request, User, encode_json
from agents.runtime.batch import Record
from agents.settings import Settings
from agents.user_work import UserWork
from models.outcomes import Attributed, ListConfig, act, arrive, close_old
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
from models.shrinking import shrink

MOST_ROW_BYTES = 512 * 1024
"""A message holds 1 MB, and the history goes into candidates too. With ids of 40 bytes it is a history of 10,000."""


@dataclass
class Folded:
    """What follows from one user's records."""

    user_id: str
    profile: Profile
    row: bytes | None = None
    changes: list[HistoryChange] = field(default_factory=list)
    segment: str = ""
    outcomes: list[bytes] = field(default_factory=list)
    triggers: list[Record] = field(default_factory=list)
    requests: list[tuple[Record, Request]] = field(default_factory=list)


def profile_config(settings: Settings) -> ProfileConfig:
    """The constants of profiles under these settings."""
    kinds = ("view", "click", "like", "share", "cart", "purchase")
    return ProfileConfig(
        strengths={kind: getattr(settings, f"strength_{kind}") for kind in kinds},
        history_size=settings.history_size,
        interest_alpha=settings.interest_alpha,
        interests_kept=settings.interests_kept,
        event_ids_kept=settings.event_ids_kept,
    )


def _packed(folded: Folded) -> bytes:
    """The profile's row; one that would be too long gives up the oldest part of its history, as often as it must."""
    row = PROFILE.write(folded.profile)
    while len(row) > MOST_ROW_BYTES and (change := shrink(folded.profile)) is not None:
        folded.changes.append(change)
        row = PROFILE.write(folded.profile)
    return row


class UserFolder:
    """Folds the records of one user after the other."""

    def __init__(self, settings: Settings, knowledge: Knowledge) -> None:
        self._config = profile_config(settings)
        self._lists = ListConfig(settings.lists_in_flight, settings.attribution_events, settings.attribution_s)
        self._trigger_types = frozenset(settings.trigger_types)
        self._segment_attributes = settings.segment_attributes
        self._catalogue = knowledge.catalogue

    def fold(self, work: UserWork, row: bytes | None) -> Folded:
        """Fold a user's records, in this order: declarations, lists, events, requests."""
        profile = PROFILE.read(row) if row is not None else Profile()
        folded = Folded(work.user_id, profile, requests=work.requests)
        for record, user in work.users:
            self._declare(folded, record, user)
        for record, recommendation in work.recommendations:
            self._arrived(folded, record, recommendation)
        if work.events:
            self._absorb(folded, work.events)
        folded.segment = segment_of(folded.profile, self._segment_attributes)
        folded.row = None if folded.profile == Profile() else _packed(folded)
        return folded

    def _declare(self, folded: Folded, record: Record, user: User | None) -> None:
        """Attributes, consent, erasure. Without consent nothing but that fact is kept."""
        profile = folded.profile
        if user is None or not user.consent:
            folded.changes.append(forget(profile))
            erased_ms = record.timestamp if user is None else profile.erased_ms
            folded.profile = Profile(consent=user is None, erased_ms=erased_ms)
            return
        profile.consent, profile.attributes, profile.declared = True, user.attributes, user.interests

    def _arrived(self, folded: Folded, record: Record, recommendation: Recommendation) -> None:
        profile = folded.profile
        if not profile.consent or record.timestamp <= profile.erased_ms:
            return
        flight = ListInFlight(
            recommendation.recommendation_id,
            [item.item_id for item in recommendation.items],
            [item.features for item in recommendation.items],
            record.timestamp,
            profile.events,
            variant=recommendation.variant,
        )
        folded.outcomes += self._written(folded.user_id, arrive(profile, flight, self._lists))

    def _absorb(self, folded: Folded, events: list[tuple[Record, Event, int]]) -> None:
        profile = folded.profile
        if profile.erased_ms:
            events = [entry for entry in events if entry[0].timestamp > profile.erased_ms]
        triggers = self._trigger_types
        if not profile.consent:
            folded.triggers += [record for record, event, _ in events if event.event_type in triggers]
            return
        change = absorb_events(profile, [(event, at_ms) for _, event, at_ms in events], self._config, self._words_of())
        folded.changes.append(change)
        if change.doubles:
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
        for found in attributed:
            flight = found.flight
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
                    features=flight.features[found.place],
                )
            )
