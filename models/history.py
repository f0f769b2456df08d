"""The history H_u of a user, packed: items in the order of first contact, each with its contact.

A row is read and written as a whole for every event of its user. As a dictionary a history of 150 items is 300 objects
strewn over memory, and to make or to walk them takes 50 to 100 µs; two packed fields take one or two. An item is found
in the joined ids by a search for bytes, which passes over some hundred ids in less than a microsecond.
"""

import struct
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

END = "\0"
"""Ends each id, and is before the first; ids hold no control characters."""
HOLDS_END = "an id holds NUL, which ends ids in a history"
_CONTACT = struct.Struct("<q")


def ids_of(joined: str) -> list[str]:
    """The ids in `History.joined`."""
    return joined[1:-1].split(END) if len(joined) > 1 else []


def newest_of(joined: str, most: int) -> list[str]:
    """The last of the ids in `History.joined`; perhaps all of them."""
    ids = joined[:-1].rsplit(END, most)
    return ids[1:] if len(ids) > most else ids_of(joined)


def drop_oldest(contacts: "History | dict[str, int]") -> tuple[str, int]:
    """Let the oldest item go; this, with its contact."""
    if isinstance(contacts, History):
        return contacts.drop(1)[0]
    item = next(iter(contacts))
    return item, contacts.pop(item)


class History(msgspec.Struct, array_like=True, gc=False):
    """item → contact, in the order of first contact. Only the oldest ever leave."""

    joined: str = END
    """The ids."""
    packed: bytes = b""
    """Their contacts, int64."""

    def __post_init__(self) -> None:
        """There is a contact for each id. Raises `ValueError`, which a codec makes its own error of."""
        ids, rest = divmod(len(self.packed), _CONTACT.size)
        if rest or self.joined.count(END) != ids + 1 or self.joined[:1] != END or self.joined[-1:] != END:
            raise ValueError("ids and contacts of a history do not fit each other")

    @classmethod
    def of(cls, contacts: Mapping[str, int]) -> "History":
        """The same as a dictionary."""
        made = cls()
        made.pack(contacts)
        return made

    def unpacked(self) -> dict[str, int]:
        """The same as a dictionary, for many changes; `pack` takes it over."""
        return dict(self.items())

    def pack(self, contacts: Mapping[str, int]) -> None:
        """Be what this dictionary is. Raises `ValueError` for a bad id."""
        joined = END + END.join([*contacts, ""])
        if joined.count(END) != len(contacts) + 1:
            raise ValueError(HOLDS_END)
        self.joined = joined
        self.packed = np.fromiter(contacts.values(), np.int64, len(contacts)).astype("<i8").tobytes()

    def __len__(self) -> int:
        return len(self.packed) // _CONTACT.size

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids())

    def __contains__(self, item: str) -> bool:
        return self.place(item) >= 0

    def __getitem__(self, item: str) -> int:
        place = self.place(item)
        if place < 0:
            raise KeyError(item)
        return self.at(place)

    def __setitem__(self, item: str, contact: int) -> None:
        """Change an item's contact, or add the item as the newest."""
        self.put(self.place(item), item, contact)

    def get(self, item: str) -> int | None:
        """The contact of an item; None: it is not here."""
        place = self.place(item)
        return None if place < 0 else self.at(place)

    def place(self, item: str) -> int:
        """Where an item is, from 0; −1: nowhere."""
        at = -1 if END in item else self.joined.find(f"{END}{item}{END}")
        return -1 if at < 0 else self.joined.count(END, 0, at)

    def at(self, place: int) -> int:
        """The contact at a place."""
        contact: int = _CONTACT.unpack_from(self.packed, place * _CONTACT.size)[0]
        return contact

    def put(self, place: int, item: str, contact: int) -> None:
        """Give the item that is at this place another contact; −1: it is new. Raises `ValueError` for a bad id."""
        value = _CONTACT.pack(contact)
        if place < 0:
            if END in item:
                raise ValueError(HOLDS_END)
            self.joined += item + END
            self.packed += value
        else:
            at = place * _CONTACT.size
            self.packed = self.packed[:at] + value + self.packed[at + _CONTACT.size :]

    def ids(self) -> list[str]:
        """All items, oldest first."""
        return ids_of(self.joined)

    def contacts(self) -> Ints:
        """The contacts of all items, in their order. Read only."""
        return np.frombuffer(self.packed, "<i8")

    def items(self) -> Iterator[tuple[str, int]]:
        """Items with their contacts, oldest first."""
        return zip(self.ids(), self.contacts().tolist(), strict=True)

    def newest(self, most: int) -> tuple[list[str], Ints]:
        """The newest items, newest first, and their contacts."""
        ids = newest_of(self.joined, most) if most < len(self) else self.ids()
        return ids[::-1], self.contacts()[len(self) - len(ids) :][::-1]

    def drop(self, count: int) -> list[tuple[str, int]]:
        """Let the oldest items go; these, with their contacts."""
        count = min(count, len(self))
        # A full history drops one item with each new one: not all ids are split.
        ids = self.joined[1:].split(END, count)[:count]
        gone = list(zip(ids, self.contacts()[:count].tolist(), strict=True))
        self.joined = self.joined[sum(map(len, ids)) + count :]
        self.packed = self.packed[count * _CONTACT.size :]
        return gone
