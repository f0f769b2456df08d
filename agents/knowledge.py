"""What a profiles worker knows of items: views of `neighbours` and `items` over one numbering."""

import numpy as np

from agents.checks import read_neighbours
from agents.packed import unpack_floats
from agents.records import read_catalogue
from agents.rules import named, read_rule
from agents.runtime.view import View
from agents.settings import Settings
from agents.topics import build_topics
from agents.variants import by_variant
from models.candidates import CandidateConfig, CandidateSelector
from models.catalogue import Catalogue, Entry
from models.interning import Interner
from models.neighbour_table import NeighbourTable
from models.popular import PopularLists
from models.profile import Profile, strengths_of
from models.rules.returning import ReturningItems
from models.user_cf import ActiveUsers, Strengths

LISTS_KEPT_MS = 1_000
"""Lists of popular and fresh items are made anew after this."""


def read_entry(key: bytes, value: bytes) -> Entry:
    """What is kept of a catalogue entry. Raises `RecordError` as `read_catalogue` does."""
    item = read_catalogue(key, value)
    return Entry(tuple(item.categories), tuple(item.tags), item.available, item.added_at)


def candidate_config(settings: Settings) -> CandidateConfig:
    """The settings that the selection of candidates needs."""
    return CandidateConfig(
        item_cf=settings.candidates_item_cf,
        popular=settings.candidates_popular,
        segment=settings.candidates_segment,
        interest=settings.candidates_interest,
        fresh=settings.candidates_fresh,
        user_cf=settings.candidates_user_cf,
        recency_power=settings.recency_power,
        ridge_recency_power=settings.ridge_recency_power,
        pause_recency_power=settings.pause_recency_power,
    )


class Knowledge:
    """Neighbours, popularity and catalogue, as new as the last `refresh`."""

    def __init__(self, settings: Settings) -> None:
        topics = build_topics(settings)
        self.items = Interner()
        self.table = NeighbourTable(self.items, settings.neighbours_scored, settings.ridge_neighbours)
        self.catalogue = Catalogue(self.items)
        self.popular = PopularLists(self.table, self.catalogue, settings.popularity_half_life)
        configs = {variant: candidate_config(varied) for variant, varied in by_variant(settings)}
        wants_users = any(config.user_cf for config in configs.values())
        self.active = ActiveUsers(settings.user_cf_users, settings.user_cf_near) if wants_users else None
        """What user CF looks at; None: nobody wants it."""
        made = {
            config: CandidateSelector(self.table, self.popular, config, self.active) for config in {*configs.values()}
        }
        self.selectors = {variant: made[config] for variant, config in configs.items()}
        """Variant → what selects its candidates; variants that do not differ in this share one."""
        self.neighbours = View(settings, topics.neighbours, lambda _key, value: read_neighbours(value))
        self.entries = View(settings, topics.items, read_entry)
        self.rules = View(settings, topics.rules, read_rule)
        self.returning = ReturningItems(self.catalogue)
        self.views = (self.neighbours, self.entries, self.rules)
        self._changed = True
        self._listed_ms = self._followed_ms = 0
        self._recent_items = settings.recent_items

    def refresh(self) -> None:
        """Take over what the views read since the last time."""
        for key, row in self.neighbours.drain():
            self._changed = True
            item = key.decode(errors="replace")
            if row is None:
                self.table.remove(item)
            else:
                weights, ridge = unpack_floats(row.weights), unpack_floats(row.ridge)
                ratings = (row.rating_sum, row.raters)
                self.table.update(item, row.ids, weights, row.popularity, row.clock, row.segments, ridge, ratings)
        entries = self.entries.drain()
        for key, entry in entries:
            self.catalogue.put(key.decode(errors="replace"), entry)
        if entries:
            self._changed = True
            self.table.grow()
            self._hide()
        self.returning.update(named(self.rules.drain()))

    def relist(self, now_ms: int) -> None:
        """Let lists of popular items be made anew if something changed and the old ones are old enough.

        So is what rules say of items; a rule that changes, begins or ends counts at once.
        """
        if self.active is not None and now_ms - self._followed_ms >= LISTS_KEPT_MS:
            self._followed_ms = now_ms
            self.active.refresh(len(self.items))
        again = self._changed and now_ms - self._listed_ms >= LISTS_KEPT_MS
        if self.returning.refresh(now_ms / 1000, follow_catalogue=again):
            self._hide()
        if again:
            self._changed = False
            self._listed_ms = now_ms
            self.popular.refresh()

    def follow_user(self, user: bytes, profile: Profile) -> None:
        """Let user CF know of a user who did something, or who is gone or wants no profile."""
        if self.active is None:
            return
        if profile.contacts and profile.consent:
            self.active.put(user, self.strengths_of(profile))
        else:
            self.active.remove(user)

    def strengths_of(self, profile: Profile) -> Strengths:
        """What user CF compares of a user."""
        items, contacts = profile.contacts.newest(self._recent_items)
        return Strengths(self.items.numbers(items), strengths_of(contacts))

    def _hide(self) -> None:
        hidden = np.concatenate([self.catalogue.unavailable(), self.returning.blocked])
        for selector in {*self.selectors.values()}:
            selector.hide(hidden)
