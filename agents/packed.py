"""Packed records: what our own workers exchange and store. One version byte, then msgpack.

Arrays of numbers travel as little-endian bytes. An integer array takes the narrowest of 1, 2, 4 or 8 bytes that holds
all its values: the first byte says which. Readers accept the versions in `READABLE`.

| record        | topic or table            | fields |
|---------------|---------------------------|--------|
| Profile       | table `profiles`          | see `models.profile` |
| Erasure       | table `profiles`          | when a user was erased; see `agents.erasures` |
| CoCounts      | topic `cooccurrence`      | changes of co-counts, in CSR form, and of popularity |
| RowHead, -Body| table `item_rows`         | norms and popularity of an item; its co-counts |
| Neighbours    | topic `neighbours`        | top neighbours of an item with weights, co-counts, norms, popularity |
| Candidates    | topic `candidates`        | extract of a profile and candidates with a score per source |
| RankerState   | topic `models`            | what the learner goes on with; see `agents.ranker` |
| ExposureState | topic `models`            | clicks and skips of explored items; see `agents.exposure` |
| LiveUser      | table `live`              | newest lists and events of a user, and counts; see `models.live_hits` |
| Moments       | table `live`              | sums over users; see `models.user_sums` |
"""

from typing import Annotated, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.errors import RecordError
from agents.records import Filters
from models.history import END
from models.live_hits import LiveUser
from models.profile import Finite, Profile

VERSION = 1
READABLE = frozenset({1})

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_WIDTHS: dict[int, np.dtype[np.signedinteger]] = {width: np.dtype(f"<i{width}") for width in (1, 2, 4, 8)}
_WIDTH_BYTES = {width: bytes((width,)) for width in _WIDTHS}


def pack_ints(values: NDArray[np.integer]) -> bytes:
    """Integers of any width as one width byte and little-endian values."""
    if not len(values):
        return b"\x01"
    most = max(int(np.maximum.reduce(values)), ~int(np.minimum.reduce(values)))
    width = 1 if most < 1 << 7 else 2 if most < 1 << 15 else 4 if most < 1 << 31 else 8
    return _WIDTH_BYTES[width] + values.astype(_WIDTHS[width]).tobytes()


def unpack_ints(packed: bytes) -> NDArray[np.integer]:
    """The read-only array that `pack_ints` packed, in its narrow type: widen before arithmetic."""
    unpacked: NDArray[np.integer] = np.frombuffer(packed, _WIDTHS[packed[0]], offset=1)
    return unpacked


def pack_floats(values: NDArray[np.floating]) -> bytes:
    """Floats as little-endian float32."""
    return values.astype("<f4").tobytes()


def unpack_floats(packed: bytes) -> NDArray[np.float32]:
    """The read-only array that `pack_floats` packed."""
    return np.frombuffer(packed, "<f4")


def pack_doubles(values: NDArray[np.floating]) -> bytes:
    """Floats as little-endian float64."""
    return values.astype("<f8").tobytes()


def unpack_doubles(packed: bytes) -> NDArray[np.float64]:
    """The read-only array that `pack_doubles` packed."""
    return np.frombuffer(packed, "<f8")


class Erasure(msgspec.Struct, array_like=True, gc=False):
    """A user was erased; stored under the user's hash."""

    at_ms: int
    """Kafka time up to which nothing of the user counts, ms since 1970."""


class CoCounts(msgspec.Struct, array_like=True, gc=False):
    """Changes of co-counts for the items of one item partition, in CSR form over `ids`."""

    events: int
    """Events absorbed since the last message of this kind: the clock by which popularity fades."""
    ids: list[str]
    rows: bytes
    """Places in `ids` of the items whose rows change, ints [n]."""
    lengths: bytes
    """Changed neighbours of each row, ints [n]."""
    cols: bytes
    """Places in `ids` of the neighbours, ints [Σ lengths]."""
    g: bytes
    c: bytes
    """Changes of G and of C (fixed point), ints [Σ lengths]."""
    users: bytes
    """Change of G_ii (users of the item) of each row, ints [n]."""
    popularity: bytes
    """Events that touched each row's item, ints [n]."""
    segments: dict[str, tuple[bytes, bytes]] = {}
    """Segment → (places in `rows`, events)."""
    ratings: tuple[bytes, bytes, bytes] | None = None
    """(places in `rows`, changes of the sum of their ratings in thousandths, and of how many they are); None: none."""


class RowHead(msgspec.Struct, array_like=True, gc=False):
    """The small, often written part of an item row."""

    users: Int64 = 0
    """G_ii"""
    c_sum: Int64 = 0
    """R_i = Σ_j C_ij, fixed point"""
    events: Int64 = 0
    popularity: Finite = 0.0
    """Faded count of events, as of `clock`."""
    clock: Finite = 0.0
    segments: dict[str, tuple[Finite, Finite]] = {}
    """Segment → (faded count, its clock)."""
    dirty: bool = False
    """Changed since its neighbours were last published."""
    published: Int64 = 0
    """Hash of the neighbours that were last published; 0: none."""
    rating_sum: Int64 = 0
    """Of the ratings in histories, in thousandths."""
    raters: Int64 = 0
    """Users whose rating is in their history."""


class RowBody(msgspec.Struct, array_like=True, gc=False):
    """The co-counts of an item; columns are numbers of the partition's dictionary, ascending."""

    cols: bytes
    """Differences of the ascending column numbers, ints."""
    g: bytes
    c: bytes


class Neighbours(msgspec.Struct, array_like=True, gc=False):
    """What other workers need to know of an item, strongest neighbour first."""

    ids: list[str]
    weights: bytes
    """Final weights, float32 [M]; scoring uses the first K."""
    g: bytes
    c: bytes
    users: int
    c_sum: int
    popularity: float
    clock: float
    segments: dict[str, float] = {}
    ridge: bytes = b""
    """Ridge weights of the first neighbours, float32 [≤ M]: by them a list scores this item (`models.ridge`)."""
    rating_sum: int = 0
    raters: int = 0
    """As in `RowHead`."""


class Candidates(msgspec.Struct, array_like=True, gc=False):
    """What the scorer needs to make one list."""

    user_id: str
    recommendation_id: str
    triggers: list[str]
    request_id: str | None
    k: int
    asked_ms: int
    """Kafka time of the (last) triggering record."""
    deadline_ms: int
    """Unix ms after which the list is of no use; 0: none."""
    recent: list[str]
    """Newest items of the history, newest first."""
    seen: list[str]
    """Items that must not be in the list, besides those of `history`."""
    items: list[str]
    sources: list[str]
    """Names of the score rows."""
    scores: bytes
    """float32 [len(sources) × len(items)], raw scores; 0: this source did not propose the item."""
    because: bytes
    """For each candidate the place in `recent` of the item that spoke most for it, or −1, ints."""
    history_length: int
    query: str = ""
    context_item: str = ""
    filters: Filters = msgspec.field(default_factory=Filters)
    variant: str = "default"
    actions: str = ""
    """What the user did with each item of `recent`, a letter each: b bought, r rated, k liked, s shared, c put into the
    cart, l looked at, m one of several of these; ?, or empty: not known."""
    after_pause: bool = False
    """The user was away for long before asking."""
    ratings: bytes = b""
    """Of each candidate the rating that is expected of the user, float32; empty: the user rates nothing."""
    history: str = END
    """Ids of the history, as in `models.history.History.joined`: no candidate is one of them."""


class RankerState(msgspec.Struct, array_like=True, gc=False):
    """What the learner knows, in `ModelVersion.state`; arrays of float64."""

    sources: list[str]
    blend: bytes
    """[S] the settings' weights that learning began with."""
    bands: list[int]
    places: list[int]
    """Of `models.choice_model`: what the parameters are of."""
    learned: tuple[bytes, bytes]
    """Evidence: the lower triangle of A, and b."""
    fixed: tuple[bytes, bytes]
    gains: tuple[Finite, Finite, Finite, Finite]
    choices: Int64
    offsets: dict[int, Int64]
    """Partition of `outcomes` → next offset to learn from."""


class ExposureState(msgspec.Struct, array_like=True, gc=False):
    """What came of showing new items, in `ModelVersion.state`."""

    ids: list[str]
    clicks: bytes
    skips: bytes
    """Of each item, ints."""
    offsets: dict[int, Int64]
    """Partition of `outcomes` → next offset to count."""


class Moments(msgspec.Struct, array_like=True, gc=False):
    """Sums over the users of a partition."""

    upper: bytes
    """The upper triangle of M row by row, ints: `models.user_sums.UPPER`."""


P = TypeVar("P", bound=msgspec.Struct)


class PackedCodec(Generic[P]):
    """Writer and reader of one packed record type."""

    def __init__(self, record: type[P]) -> None:
        self._name = record.__name__
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(record).decode
        self._head = bytes((VERSION,))

    def write(self, record: P) -> bytes:
        """The packed form."""
        return self._head + self._encode(record)

    def read(self, value: bytes) -> P:
        """The record. Raises `RecordError` (`bad_version`, `bad_packed`)."""
        if not value or value[0] not in READABLE:
            raise RecordError("bad_version", f"{self._name} version {value[:1].hex() or 'none'} is not readable here")
        try:
            return self._decode(memoryview(value)[1:])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise RecordError("bad_packed", f"{self._name}: {exc}") from exc


PROFILE = PackedCodec(Profile)
ERASURE = PackedCodec(Erasure)
CO_COUNTS = PackedCodec(CoCounts)
ROW_HEAD = PackedCodec(RowHead)
ROW_BODY = PackedCodec(RowBody)
NEIGHBOURS = PackedCodec(Neighbours)
CANDIDATES = PackedCodec(Candidates)
RANKER_STATE = PackedCodec(RankerState)
EXPOSURE_STATE = PackedCodec(ExposureState)
LIVE_USER = PackedCodec(LiveUser)
MOMENTS = PackedCodec(Moments)
