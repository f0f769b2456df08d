"""From folded users to `candidates` records: one for a user's triggering events in a batch, one for each request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from agents.expired import send_expired, send_stale
from agents.knowledge import Knowledge
from agents.packed import CANDIDATES, Candidates, pack_floats, pack_ints
from agents.records import Context, Filters, Request
from agents.runtime.agent import TransactionLike
from agents.runtime.batch import Record
from agents.settings import Settings
from agents.topics import build_topics
from agents.users import Folded
from agents.variants import assignment
from models.candidates import INTERESTS_USED, SOURCES, Selected, Wanted
from models.profile import actions, top_interests

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
    hidden: list[str]
    wanted: Wanted


def trigger_id(record: Record) -> str:
    """`<topic>-<partition>-<offset>`: names the record, and the list that answers it."""
    return f"{record.topic}-{record.partition}-{record.offset}"


class CandidatesWriter:
    """Collects who wants a list in a batch; then selects candidates for all of them at once."""

    def __init__(self, settings: Settings, knowledge: Knowledge) -> None:
        self._settings, self._knowledge = settings, knowledge
        self._topics = build_topics(settings)
        self._variants = assignment(settings)
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

    def send(self, transaction: TransactionLike) -> None:
        """Send the candidates of all that was noted; forgets it. What is too late becomes an outcome."""
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
            return
        wanted = [self._wanted(entry) for entry in in_time]
        variants = [self._variants.of(entry.folded.user_id) for entry in in_time]
        chosen = self._chosen(wanted, variants)
        for entry, ids, selected, variant in zip(in_time, wanted, chosen, variants, strict=True):
            value = CANDIDATES.write(self._packed(entry, ids, selected, variant))
            transaction.send(self._topics.candidates.name, entry.partition, entry.key, value)

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
        hidden = [*profile.contacts, *profile.blocked]
        hidden_numbers = items.numbers(hidden)
        newest = slice(max(len(profile.contacts) - self._settings.recent_items, 0), len(profile.contacts))
        recent, recent_numbers = hidden[newest][::-1], hidden_numbers[newest][::-1]
        only = None
        if request is not None:
            # Ids that a request names are taken from strangers: unknown ones get no number.
            if (item := request.context.item_id) is not None:
                hidden.append(item)
                if profile.consent and (number := items.known(item)) is not None:
                    recent, recent_numbers = [item, *recent], np.concatenate([[number], recent_numbers])
            hidden += request.filters.exclude_items
            named = map(items.known, hidden[len(hidden_numbers) :])
            known = [number for number in named if number is not None]
            hidden_numbers = np.concatenate([hidden_numbers, np.array(known, np.int64)])
            if request.filters.categories:
                only = self._knowledge.catalogue.in_categories(request.filters.categories, len(items))
        interests, without_profile = top_interests(profile, INTERESTS_USED), not profile.consent
        wanted = Wanted(recent_numbers, hidden_numbers, entry.folded.segment, interests, only, without_profile)
        return _Ids(recent, hidden, wanted)

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
            sources=list(SOURCES),
            scores=pack_floats(selected.scores.ravel()),
            because=pack_ints(selected.because),
            history_length=len(profile.contacts),
            query=context.query or "",
            context_item=context.item_id or "",
            filters=request.filters if request is not None else Filters(),
            variant=variant,
            actions=actions(profile, recent, self._settings.strength_purchase),
        )
