"""How lists and profiles look in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from models.profile import Profile, unpack_contact


def list_table(recommendation: Mapping[str, Any]) -> Table:
    """One list: place, item, reason, score, sources."""
    notes = [recommendation["recommendation_id"]]
    if recommendation.get("model"):
        notes.append(str(recommendation["model"]))
    if recommendation.get("degraded_reason"):
        notes.append(str(recommendation["degraded_reason"]))
    if not recommendation["items"]:
        notes.append("no item fits (yet: neighbours and popularity follow the first events within half a minute)")
    table = Table(title=f"for {recommendation['user_id']}", caption=" · ".join(notes), title_justify="left")
    table.add_column("", justify="right")
    table.add_column("item")
    table.add_column("title")
    table.add_column("reason")
    table.add_column("score", justify="right")
    table.add_column("sources")
    for place, item in enumerate(recommendation["items"], 1):
        sources = " ".join(f"{name} {share:.0%}" for name, share in item.get("sources", {}).items())
        table.add_row(
            str(place), item["item_id"], item.get("title", ""), item["reason"], f"{item['score']:.3f}", sources
        )
    return table


def profile_tables(user: str, profile: Profile, titles: Mapping[str, str]) -> list[Table]:
    """A profile as tables: history by first contact, last one first; interests, the rest."""
    import time

    history = Table(
        title=f"history of {user} ({len(profile.contacts)} items by first contact, last one first)",
        title_justify="left",
    )
    for name in ("item", "title", "strength", "last time"):
        history.add_column(name)
    for item, contact in reversed([*profile.contacts.items()]):
        last_s, strength, rated = unpack_contact(contact)
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(last_s))
        history.add_row(item, titles.get(item, ""), f"{strength:g}{' (rated)' if rated else ''}", when)
    rest = Table(title="profile", title_justify="left", show_header=False)
    rest.add_column("")
    rest.add_column("")
    interests = sorted(profile.interests.items(), key=lambda pair: -pair[1])[:20]
    rest.add_row("events", str(profile.events))
    rest.add_row("interests", ", ".join(f"{word} {weight:.3f}" for word, weight in interests))
    rest.add_row("declared interests", ", ".join(profile.declared))
    rest.add_row("attributes", ", ".join(f"{name}={value}" for name, value in profile.attributes.items()))
    rest.add_row("searches", ", ".join(profile.searches))
    rest.add_row("disliked", ", ".join(profile.blocked))
    rest.add_row("lists in flight", ", ".join(flight.recommendation_id for flight in profile.lists))
    return [history, rest]
