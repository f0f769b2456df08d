"""The offsets that belong together while the stream runs.

profiles changelog p   ──┤ rows ├─ seal ──┤ rows ├─ seal ──        the state after the records before the seal's offsets
cooccurrence q         ──── m m ───── x ──── m ───────────         x: no transaction is half before it

What the messages before x say of the item rows is what the histories say at the last seal of each p that sent something
to q before x. That is the later one of the group's committed offsets (read before x was chosen, so all they stand for
is before x) and the cuts carried by the messages that may have been committed since (`agents.cuts`).

Item rows are a sum: rows that similarity has brought further than x, or not as far, are moved there by the messages in
between. So profiles need not wait for similarity, and nothing has to stand still.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.cuts import Places, read_cut
from agents.errors import RecordError
from agents.topics import Topic, Topics
from agents.verify.reading import Reader


@dataclass(frozen=True)
class Moment:
    """Where to compare. Partitions p are the users', q the items'."""

    committed: Mapping[int, Places]
    """p → where profiles has committed its sources."""
    scored: Mapping[int, Places]
    """p → where the scorer has committed candidates."""
    crossing: Mapping[int, int]
    """q → x."""
    histories: Mapping[int, Mapping[int, Places]]
    """q → p → the cut of p up to which its histories are in the messages before x."""
    unmarked: frozenset[int]
    """q whose newest messages carry no cut that can be read: an older version wrote them."""


def find_moment(reader: Reader, topics: Topics) -> Moment:
    """The newest moment at which all can be compared."""
    changes = topics.cooccurrence
    decided = {q: reader.stable_end(changes, q) for q in range(changes.partitions)}
    scored = reader.stable_offsets("scorer", [topics.candidates])
    sources = (topics.events, topics.users, topics.requests, topics.recommendations)
    committed = reader.stable_offsets("profiles", sources)
    crossing: dict[int, int] = {}
    histories: dict[int, Mapping[int, Places]] = {}
    unmarked = set()
    for q, start in decided.items():
        cuts: dict[int, Places] = {p: dict(places) for p, places in committed.items()}
        crossing[q], marked = _crossing(reader, changes, q, start, cuts)
        histories[q] = cuts
        if not marked:
            unmarked.add(q)
    return Moment(committed, scored, crossing, histories, frozenset(unmarked))


def _crossing(reader: Reader, changes: Topic, q: int, start: int, cuts: dict[int, Places]) -> tuple[int, bool]:
    """x of one item partition, at or after its end; `cuts` are moved on. Also whether all messages read had a cut."""
    half_sent: set[str] = set()
    marked, end = True, reader.end(changes, q)
    while True:
        for record in reader.read(changes, q, start, end):
            try:
                cut = read_cut(record.headers)
            except RecordError:
                cut = None
            if cut is None:
                marked = False
                continue
            for p, places in cut.places.items():
                cuts[p] = later(cuts.get(p, {}), places)
            (half_sent.add if cut.left else half_sent.discard)(repr(sorted(cut.places.items())))
        if not half_sent:
            return end, marked
        start, end = end, reader.end(changes, q)


def later(one: Places, other: Places) -> Places:
    """The later of two cuts of one partition."""
    return {topic: max(one.get(topic, 0), other.get(topic, 0)) for topic in {*one, *other}}


def within(one: Places, other: Places) -> bool:
    """Whether a cut is not after another one of the same partition."""
    return all(offset <= other.get(topic, 0) for topic, offset in one.items())
