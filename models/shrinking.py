"""What a profile gives up when it is too large to be stored."""

from models.profile import HistoryChange, Profile, ratings_of

SHARE = 8
"""An eighth of the history at a time, so that it is not paid for with every event."""


def shrink(profile: Profile) -> HistoryChange | None:
    """Give up what is oldest, in place: a part of the history, or a list in flight if lists hold more items than it.

    Returns the change of the history; None: nothing is left to give up.
    """
    contacts, listed = profile.contacts, sum(len(flight.items) for flight in profile.lists)
    change = HistoryChange(before=contacts.ids())
    if listed > len(contacts):
        profile.lists = profile.lists[1:]
    elif contacts:
        change.left = -(-len(contacts) // SHARE)
        change.rated = ratings_of(contacts.drop(change.left), -1)
    else:
        return None
    return change
