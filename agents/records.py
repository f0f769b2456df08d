"""Public records: the JSON that applications write and read. `deploy/schemas/` is generated from these types.

Unknown fields are allowed and ignored; a new field always has a default. Times are seconds since 1970 (UTC).
"""

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from agents.errors import RecordError

MAX_ID_BYTES = 256
MOST_PREVIOUS = 20
MOST_LIST_ITEMS = 100
"""What an application may ask for."""
MAX_EVENT_BYTES = 64 * 1024
MAX_ITEM_BYTES = 256 * 1024
NOTED_HEADER = "noted"
"""Header of a list that the profile has already: profiles workers pass such a record over."""
LATEST_TIME_S = 32_503_680_000.0  # the year 3000; what is later is most likely in milliseconds

EventType = Literal["view", "click", "like", "cart", "purchase", "rate", "dislike", "search", "share", "impression"]
RuleKind = Literal["boost", "pin", "block", "repeat", "cap"]
OutcomeKind = Literal["shown", "clicked", "bought", "skipped", "expired", "stale"]

# Checked by `check_id`, once for each new id: a regular expression for every event is slow.
_ID_PATTERN = {"pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"}
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES, extra_json_schema=_ID_PATTERN)]
Text = Annotated[str, Meta(max_length=20_000)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[list[Word], Meta(max_length=100)]
Seconds = Annotated[float, Meta(ge=0, le=LATEST_TIME_S)]


class Event(msgspec.Struct, gc=False):
    """Something a user did. Topic `events`, key = user_id."""

    user_id: Id
    event_type: EventType
    item_id: Id | None = None
    """The item; needed by every type but `search`."""
    timestamp: Seconds | None = None
    """When it happened; without it the record's Kafka time is taken."""
    rating: Annotated[float, Meta(ge=0, le=100)] | None = None
    """For `rate`, which needs it: the explicit rating, replacing the strength."""
    query: Annotated[str, Meta(max_length=1_000)] | None = None
    """For `search`, which needs it: the words."""
    event_id: Annotated[str, Meta(max_length=MAX_ID_BYTES)] | None = None
    """When given, a second event of this user with the same id is ignored."""
    recommendation_id: Annotated[str, Meta(max_length=MAX_ID_BYTES)] | None = None
    """The list that the user acted on, when the application knows it."""


class Item(msgspec.Struct, gc=False):
    """A catalogue entry. Topic `items`, key = item_id; a null value deletes it."""

    item_id: Id
    title: Text = ""
    description: Text = ""
    categories: Words = []
    tags: Words = []
    price: Annotated[float, Meta(ge=0)] | None = None
    available: bool = True
    added_at: Seconds | None = None
    """When the item came into the catalogue; without it the item is never offered as fresh."""
    weight: Annotated[float, Meta(gt=0, le=1_000)] = 1.0
    """What the item's score is multiplied with: above 1 it is shown more, below less."""


class User(msgspec.Struct, gc=False):
    """Declared facts about a user. Topic `users`, key = user_id; a null value erases the user."""

    user_id: Id
    attributes: Annotated[dict[Word, Annotated[str, Meta(max_length=200)] | float | bool], Meta(max_length=50)] = {}
    interests: Words = []
    consent: bool = True
    """False: no profile is kept; lists hold popular and fresh items only."""


class Context(msgspec.Struct, gc=False):
    """Where the user is right now."""

    item_id: Id | None = None
    query: Annotated[str, Meta(max_length=1_000)] | None = None


class Filters(msgspec.Struct, gc=False):
    """What the list may hold."""

    categories: Words = []
    """Only items of one of these categories; empty: all."""
    exclude_items: Annotated[list[Id], Meta(max_length=1_000)] = []
    exclude_categories: Words = []
    """No item of any of these categories."""
    only_items: Annotated[list[Id], Meta(max_length=1_000)] = []
    """Only these items of the catalogue, all of them if k allows: a list to be ranked; empty: all items."""


class Request(msgspec.Struct, gc=False):
    """Recommend now. Topic `requests`, key = user_id."""

    user_id: Id
    request_id: Annotated[str, Meta(max_length=MAX_ID_BYTES)] | None = None
    """Echoed in the list."""
    k: Annotated[int, Meta(ge=1, le=MOST_LIST_ITEMS)] = 10
    context: Context = msgspec.field(default_factory=Context)
    filters: Filters = msgspec.field(default_factory=Filters)
    deadline_ms: Annotated[int, Meta(ge=1, le=3_600_000)] | None = None
    """Milliseconds after the record's Kafka time; later the list is of no use and becomes an `expired` outcome."""


class RankedItem(msgspec.Struct, gc=False):
    """One place in a list."""

    item_id: str
    score: float
    reason: str
    """A sentence for people, such as "because you bought Red mug"."""
    because: str | None = None
    """The item of the history that spoke most for this one."""
    title: str = ""
    sources: dict[str, float] = {}
    """Share of each source in the score; they sum to 1."""
    features: dict[str, float] = {}
    """What the ranker saw; outcomes repeat it as training data."""
    rating: float | msgspec.UnsetType = msgspec.UNSET
    """The rating that is expected of a user who rates items, on the scale of the events."""


NO_SOURCE = "none"


def lead_source(item: RankedItem) -> str:
    """The source with the largest share of an item; `NO_SOURCE` if it has none."""
    return max(item.sources, key=item.sources.__getitem__, default=NO_SOURCE)


class Recommendation(msgspec.Struct, gc=False):
    """One ranked list. Topic `recommendations`, key = user_id."""

    recommendation_id: str
    """`<topic>-<partition>-<offset>` of the (last) record that asked for it."""
    user_id: str
    items: list[RankedItem]
    triggers: list[str]
    """Every record that this list answers, in the form of the recommendation id."""
    created_at: float
    request_id: str | None = None
    degraded: bool = False
    """True: a part of the scoring was left out; `degraded_reason` says which."""
    degraded_reason: str = ""
    model: str | None = None
    """Version of the BERT model; null: blended without BERT."""
    variant: str = "default"
    asked_at: float | None = None
    """Kafka time of the (last) record that asked for it."""
    ranker: str = "fixed"
    """Weights of the sources: `fixed`, those of the settings, or the version of the learned ones."""
    cross_model: str | None = None
    """Version of the cross-encoder that read the best candidates; null: none did."""
    cross_scored: int = 0
    """How many of them it read; fewer than it was to, for want of time: `degraded`."""
    recent: list[str] = []
    """The user's newest items when the list was made, the newest first: what a cross-encoder reads, and learns from."""


class Choice(msgspec.Struct, gc=False):
    """The items of a list that could be chosen when one of them was."""

    positions: Annotated[list[Annotated[int, Meta(ge=0, lt=MOST_LIST_ITEMS)]], Meta(max_length=MOST_LIST_ITEMS)]
    """Their places in the list, from 0; the chosen one's is among them."""
    features: dict[str, Annotated[list[float], Meta(max_length=MOST_LIST_ITEMS)]]
    """What the ranker saw: name → value for each of these places."""


class Outcome(msgspec.Struct, gc=False):
    """What happened to a recommended item, or why there is no list. Topic `outcomes`, key = user_id."""

    user_id: str
    recommendation_id: str
    outcome: OutcomeKind
    timestamp: float
    item_id: str | None = None
    position: int | None = None
    """Place in the list, from 0."""
    event_type: str | None = None
    request_id: str | None = None
    variant: str = "default"
    features: dict[str, float] = {}
    triggers: list[str] = []
    """For `stale`: the records that asked for a list and were too old to get one."""
    choice: Choice | None = None
    """For the first click or purchase of an item of a list: what it was chosen among. The learner learns from it."""
    source: str = ""
    """The source with the largest share of the item in the list."""


class NamedModel(msgspec.Struct, gc=False):
    """A model: its version, and the folder or Hugging Face id where scorers find it."""

    version: str
    path: str


class ModelVersion(msgspec.Struct, gc=False):
    """What the scorers are to use. Topic `models`, key = name."""

    name: str
    version: str
    path: str = ""
    weights: dict[str, float] = {}
    """For `ranker`: `source:length` → weight, for users with a history of at least this length."""
    active: bool = True
    """False: scorers go on with the weights of their settings."""
    gain: float = 0.0
    """For `ranker`: how much likelier, in nats, a choice is by these weights than by those of the settings."""
    gain_error: float | None = None
    """Its standard error; null: too few choices."""
    state: bytes = b""
    """What the learner goes on with, packed."""
    shadow: NamedModel | None = None
    """For `cross-encoder`: a model that scorers compare with the one in use; lists do not show what it says."""
    previous: Annotated[list[NamedModel], Meta(max_length=MOST_PREVIOUS)] = []
    """For `cross-encoder`: what was in use before, the newest first; a rollback takes the first."""


class Rule(msgspec.Struct, gc=False, omit_defaults=True):
    """What the shop wants of lists. Topic `rules`, key = name; a null value deletes it.

    It selects the items of `items`, of one of the `categories` or of the `tags`.
    """

    name: Id
    kind: RuleKind
    """boost: multiply scores; pin: fixed places; block: never shown; repeat: shown again some time after the user had
    to do with it; cap: so many in a list."""
    items: Annotated[list[Id], Meta(max_length=1_000)] = []
    categories: Words = []
    tags: Words = []
    added_within_days: Annotated[float, Meta(gt=0, le=36_500)] | None = None
    """For `boost`: only items that came into the catalogue not longer ago."""
    factor: Annotated[float, Meta(gt=0, le=1_000)] | None = None
    """For `boost`, which needs it: above 1 they come higher, below lower."""
    position: Annotated[int, Meta(ge=0, lt=MOST_LIST_ITEMS)] | None = None
    """For `pin`, which needs it: place of the first of `items`, from 0; the others follow it."""
    days: Annotated[float, Meta(gt=0, le=36_500)] | None = None
    """For `repeat`, which needs it: so long after the last time; with no items, categories or tags: for all items."""
    most: Annotated[int, Meta(ge=1, le=MOST_LIST_ITEMS)] | None = None
    """For `cap`, which needs it: most items in a list, of all that are selected together."""
    from_time: Seconds | None = msgspec.field(default=None, name="from")
    """It holds from then on; null: at once."""
    until: Seconds | None = None
    """It holds until then; null: until it is changed."""


PUBLIC_RECORDS: tuple[type[msgspec.Struct], ...] = (
    Event,
    Item,
    User,
    Request,
    Recommendation,
    Outcome,
    ModelVersion,
    Rule,
)

encode_json = msgspec.json.Encoder().encode


def check_id(value: str, field: str) -> None:
    """Raise `RecordError` if an id has control characters or is longer than `MAX_ID_BYTES` in UTF-8."""
    if not value.isprintable() and any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in value):
        raise RecordError("bad_id", f"{field} holds control characters: send printable text")
    if len(value.encode()) > MAX_ID_BYTES:
        raise RecordError("bad_id", f"{field} is longer than {MAX_ID_BYTES} bytes")


R = TypeVar("R", bound=msgspec.Struct)


class JsonReader(Generic[R]):
    """Strict reader of one public record type."""

    def __init__(self, record: type[R], most_bytes: int = MAX_EVENT_BYTES) -> None:
        self._decode = msgspec.json.Decoder(record).decode
        self._most_bytes = most_bytes

    def __call__(self, value: bytes | None) -> R:
        """The record in `value`. Raises `RecordError`: `null_value`, `too_large`, `bad_json` or `bad_field`."""
        if value is None:
            raise RecordError("null_value", "the value is null: send a JSON object")
        if len(value) > self._most_bytes:
            raise RecordError("too_large", f"the value has {len(value)} bytes, more than {self._most_bytes}")
        try:
            return self._decode(value)
        except msgspec.ValidationError as exc:
            raise RecordError("bad_field", str(exc)) from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise RecordError("bad_json", str(exc)) from exc


read_event = JsonReader(Event)
read_item = JsonReader(Item, MAX_ITEM_BYTES)
read_user = JsonReader(User)
read_request = JsonReader(Request)
read_recommendation = JsonReader(Recommendation, 1024 * 1024)
read_outcome = JsonReader(Outcome)
read_model = JsonReader(ModelVersion, 1024 * 1024)
read_rule_record = JsonReader(Rule, MAX_ITEM_BYTES)


def read_catalogue(key: bytes, value: bytes) -> Item:
    """A record of `items`. Raises `RecordError`, also `bad_id`, and `wrong_key` if its key is not its id."""
    item = read_item(value)
    if item.item_id.encode() != key:
        raise RecordError("wrong_key", "the record's key differs from item_id: send the item_id as the key")
    check_id(item.item_id, "item_id")
    return item
