"""From folded users to candidates: once for a user's triggering events in a batch, once for each request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from agents.expired import send_expired, send_stale
from agents.knowledge import Knowledge
from agents.packed import Candidates, pack_floats, pack_ints
from agents.records import Context, Filters, Request
from agents.runtime.agent import TransactionLike
from agents.runtime.batch import Record
from agents.settings import Settings
from agents.topics import build_topics
from agents.users import Folded, profile_config
from agents.variants import assignment
from models.candidates import INTERESTS_USED, Selected, Wanted
from models.cooccurrence import Ints
from models.history import END
from models.profile import NO_CONTACT, actions, letters_of_strengths, ratings_given, times_of, top_interests

NOW = -1
"""Time of the item on the page: another one than of any item of the history."""
PASSED_MS = 1
"""A deadline in 1970."""
MOST_TRIGGERS = 1_000
"""More events of one user in a batch share several lists: a record that names them all must not grow without end."""


@dataclass(frozen=True)
class _Asked:
    """One list to make candidates for."""

    partition: int
    key: bytes
    folded: Folded
    triggers: list[str]
    asked_ms: int
    k: int
    deadline_ms: int = 0
    request: Request | None = None


@dataclass(frozen=True)
class _Ids:
    """The items of `wanted` by their ids."""

    recent: list[str]
    contacts: Ints
    """Of `recent`."""
    hidden: list[str]
    """Besides the history."""
    history: str
    """`History.joined`"""
    wanted: Wanted


def trigger_id(record: Record) -> str:
    """`<topic>-<partition>-<offset>`: names the record, and the list that answers it."""
    return f"{record.topic}-{record.partition}-{record.offset}"


class CandidatesWriter:
    """Collects who wants a list in a batch; then selects candidates for all of them at once."""

    def __init__(self, settings: Settings, knowledge: Knowledge) -> None:
        self._settings, self._knowledge = settings, knowledge
        self._topics = build_topics(settings)
        self._letters = letters_of_strengths(profile_config(settings).strengths)
        self._variants = assignment(settings)
        self._by_users = knowledge.active is not None
        self._asked: list[_Asked] = []

    def want(self, partition: int, key: bytes, folded: Folded) -> None:
        """Note the lists that one user's records ask for."""
        most_ms = round(self._settings.trigger_max_age_s * 1000)
        for begin in range(0, len(folded.triggers), MOST_TRIGGERS):
            triggers = folded.triggers[begin : begin + MOST_TRIGGERS]
            names, asked_ms = [trigger_id(record) for record in triggers], triggers[-1].timestamp
            stale_ms = asked_ms + most_ms if most_ms else 0
            self._asked.append(_Asked(partition, key, folded, names, asked_ms, self._settings.list_items, stale_ms))
        for record, request in folded.requests:
            wait_ms = request.deadline_ms or self._settings.request_deadline_ms
            deadline_ms = record.timestamp + wait_ms if wait_ms else 0
            asked = _Asked(
                partition, key, folded, [trigger_id(record)], record.timestamp, request.k, deadline_ms, request
            )
            self._asked.append(asked)
        for record, request in folded.old_requests:
            asked = _Asked(
                partition, key, folded, [trigger_id(record)], record.timestamp, request.k, PASSED_MS, request
            )
            self._asked.append(asked)

    @property
    def waiting(self) -> bool:
        """Whether anybody wants a list."""
        return bool(self._asked)

    def take(self, transaction: TransactionLike) -> list[tuple[int, Folded, Candidates]]:
        """(partition, user, candidates) of all that was noted; forgets it. What is too late becomes an outcome."""
        asked, self._asked = self._asked, []
        in_time = []
        for entry in asked:
            if entry.deadline_ms and transaction.now_ms > entry.deadline_ms:
                place, user = (self._topics.outcomes.name, entry.partition), entry.folded.user_id
                variant = self._variants.of(user)
                if entry.request is None:
                    send_stale(transaction, *place, user, entry.triggers, variant)
                else:
                    request_id = entry.request.request_id
                    send_expired(transaction, *place, user, entry.triggers[-1], request_id, variant)
            else:
                in_time.append(entry)
        if not in_time:
            return []
        wanted = [self._wanted(entry) for entry in in_time]
        variants = [self._variants.of(entry.folded.user_id) for entry in in_time]
        chosen = self._chosen(wanted, variants)
        return [
            (entry.partition, entry.folded, self._packed(entry, ids, selected, variant))
            for entry, ids, selected, variant in zip(in_time, wanted, chosen, variants, strict=True)
        ]

    def _chosen(self, wanted: Sequence[_Ids], variants: Sequence[str]) -> Iterator[Selected]:
        """Candidates for each, in order; those of a variant are selected together."""
        chosen = {
            variant: iter(
                selector.select([one.wanted for one, of in zip(wanted, variants, strict=True) if of == variant])
            )
            for variant, selector in self._knowledge.selectors.items()
        }
        return (next(chosen[variant]) for variant in variants)

    def _wanted(self, entry: _Asked) -> _Ids:
        items, profile, request = self._knowledge.items, entry.folded.profile, entry.request
        hidden, joined = list(profile.blocked), profile.contacts.joined
        history = entry.folded.numbers
        if history is None:
            history = items.numbers(profile.contacts.ids())
        hidden_numbers = np.concatenate([history, items.numbers(profile.blocked)]) if profile.blocked else history
        after_pause = self._after_pause(entry)
        most = self._settings.pause_recent_items if after_pause else self._settings.recent_items
        recent, contacts = profile.contacts.newest(most)
        times = times_of(contacts)
        recent_numbers = history[len(history) - len(recent) :][::-1]
        rated = contacts
        if self._knowledge.returning.any:
            hidden, hidden_numbers = self._not_returned(entry, hidden_numbers)
            joined = END
        known_count, only = len(hidden), None
        if request is not None:
            # Ids that a request names are taken from strangers: unknown ones get no number.
            if (item := request.context.item_id) is not None:
                hidden.append(item)
                if profile.consent and (number := items.known(item)) is not None:
                    contact = profile.contacts.get(item) or NO_CONTACT
                    # A rating counts once: at the item's own place, if it is among the recent ones.
                    rated = np.concatenate([[NO_CONTACT if item in recent else contact], contacts])
                    contacts = np.concatenate([[contact], contacts])
                    recent, recent_numbers = [item, *recent], np.concatenate([[number], recent_numbers])
                    times = np.concatenate([[NOW], times])
            hidden += request.filters.exclude_items
            named = map(items.known, hidden[known_count:])
            known = [number for number in named if number is not None]
            hidden_numbers = np.concatenate([hidden_numbers, np.array(known, np.int64)])
            only = self._only(request.filters)
        wanted = Wanted(
            recent_numbers,
            times,
            hidden_numbers,
            entry.folded.segment,
            top_interests(profile, INTERESTS_USED),
            only,
            after_pause,
            without_profile=not profile.consent,
            user=entry.key,
            strengths=self._knowledge.strengths_of(profile) if self._by_users and profile.consent else None,
            ratings=ratings_given(rated),
        )
        return _Ids(recent, contacts, hidden, joined, wanted)

    def _after_pause(self, entry: _Asked) -> bool:
        """Whether the user was away for long before asking. Who just did something was not, however it is dated."""
        last_ms = entry.folded.profile.last_ms
        return entry.request is not None and 0 < last_ms <= entry.asked_ms - self._settings.pause_s * 1000

    def _not_returned(self, entry: _Asked, numbers: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
        """Contacts and blocked items, of these numbers, without the contacts that rules let come again by now."""
        profile = entry.folded.profile
        hidden = [*profile.contacts.ids(), *profile.blocked]
        count = len(profile.contacts)
        last_s = times_of(profile.contacts.contacts())
        stay = np.ones(len(hidden), np.bool_)
        stay[:count] = ~self._knowledge.returning.returned(numbers[:count], last_s, entry.asked_ms / 1000)
        return list(compress(hidden, stay.tolist())), numbers[stay]

    def _only(self, filters: Filters) -> NDArray[np.bool_] | None:
        """Mask of the items that a request's filters allow; None: all."""
        items, catalogue = self._knowledge.items, self._knowledge.catalogue
        if not (filters.categories or filters.exclude_categories or filters.only_items):
            return None
        mask = np.ones(len(items), np.bool_)
        if filters.categories:
            mask &= catalogue.in_categories(filters.categories, len(items))
        if filters.exclude_categories:
            mask &= ~catalogue.in_categories(filters.exclude_categories, len(items))
        if filters.only_items:
            named = np.zeros(len(items), np.bool_)
            named[[number for number in map(items.known, filters.only_items) if number is not None]] = True
            mask &= named
        return mask

    def _packed(self, entry: _Asked, ids: _Ids, selected: Selected, variant: str) -> Candidates:
        names, profile, request = self._knowledge.items.ids, entry.folded.profile, entry.request
        recent = ids.recent
        context = request.context if request is not None and profile.consent else Context()
        return Candidates(
            user_id=entry.folded.user_id,
            recommendation_id=entry.triggers[-1],
            triggers=entry.triggers,
            request_id=request.request_id if request is not None else None,
            k=entry.k,
            asked_ms=entry.asked_ms,
            deadline_ms=entry.deadline_ms,
            recent=recent,
            seen=ids.hidden,
            items=list(map(names.__getitem__, selected.items.tolist())),
            sources=list(self._knowledge.selectors[variant].sources),
            scores=pack_floats(selected.scores.ravel()),
            because=pack_ints(selected.because),
            history_length=len(profile.contacts),
            query=context.query or "",
            context_item=context.item_id or "",
            filters=request.filters if request is not None else Filters(),
            variant=variant,
            actions=actions(ids.contacts, self._letters),
            after_pause=ids.wanted.after_pause,
            ratings=b"" if selected.ratings is None else pack_floats(selected.ratings),
            history=ids.history,
        )
