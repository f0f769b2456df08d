"""A profile as found against the plain replay of its events."""

import math

from models.plain import PlainProfile
from models.profile import NO_CONTACT, STRENGTH_STEPS, Profile, ProfileConfig, unpack_contact

TOLERANCE = 1e-6
"""Relative; interests are sums of floats in another order."""
LEAST_WEIGHT = 1e-9
"""Weights below are rounding."""


def differing(found: Profile, plain: PlainProfile, config: ProfileConfig) -> list[str]:
    """Names of the fields that differ. Lists in flight are not compared: they depend on when lists arrive."""
    names = [
        name for name in ("events", "last_ms", "searches", "blocked") if getattr(found, name) != getattr(plain, name)
    ]
    if found.event_ids[-config.event_ids_kept :] != plain.event_ids:
        names.append("event_ids")
    contacts = [(item, unpack_contact(contact)) for item, contact in found.contacts.items()]
    expected = [(item, (last, low / STRENGTH_STEPS, rated)) for item, (last, low, rated) in plain.contacts.items()]
    if contacts != expected:
        names.append("history")
    if not _close(found.interests, plain.interests):
        names.append("interests")
    return names


def misses(found: Profile, plain: PlainProfile, config: ProfileConfig) -> list[str]:
    """What a profile lacks of the newest events, when older ones are gone: it may hold more, never less."""
    names = []
    if found.events < plain.events or found.last_ms < plain.last_ms:
        names.append("events")
    if len(found.contacts) < config.history_size:
        for item, (last_s, low, rated) in plain.contacts.items():
            has_last, strength, has_rating = unpack_contact(found.contacts.get(item) or NO_CONTACT)
            weaker = not has_rating and strength < low / STRENGTH_STEPS
            if item not in found.contacts or has_last < last_s or weaker or (rated and not has_rating):
                return [*names, "history"]
    return names


def _close(found: dict[str, float], expected: dict[str, float]) -> bool:
    return all(
        math.isclose(found.get(word, 0.0), expected.get(word, 0.0), rel_tol=TOLERANCE, abs_tol=LEAST_WEIGHT)
        for word in {*found, *expected}
    )
