"""What users took of their lists, as pairs to learn from: the topics `outcomes`, `recommendations` and `items`."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from agents.errors import SetupError
from agents.lookup import read_all, titles
from agents.records import Outcome, Recommendation, User, read_item
from agents.settings import Settings
from agents.topics import Topic, build_topics
from models.bert.training.examples import Example
from models.pair_texts import item_text, profile_text

NAME = "outcomes"
TAKEN = frozenset({"clicked", "bought"})
SEEN_BELOW = 1
"""Places below the last one taken that were looked at too, as far as one knows: what stands deeper says nothing."""
FEWEST = 50
"""Items taken; of fewer a model learns by heart."""

_OUTCOME = msgspec.json.Decoder(Outcome)
_RECOMMENDATION = msgspec.json.Decoder(Recommendation)
_USER = msgspec.json.Decoder(User)


def read_outcomes(settings: Settings) -> list[Example]:
    """A pair for each item that was taken, and for each that was passed over on the way there.

    Users are told apart by numbers, so that no id gets out. Left out is who is erased or has withdrawn
    consent. Raises `SetupError` if there are too few, `BrokerError` if a topic cannot be read.
    """
    topics = build_topics(settings)
    taken, skipped = dict[str, set[str]](), dict[str, set[str]]()
    for value in _values(settings, topics.outcomes):
        outcome = _OUTCOME.decode(value)
        if outcome.item_id is not None and outcome.outcome in (*TAKEN, "skipped"):
            side = taken if outcome.outcome in TAKEN else skipped
            side.setdefault(outcome.recommendation_id, set()).add(outcome.item_id)
    lists = {
        made.recommendation_id: made
        for made in map(_RECOMMENDATION.decode, _values(settings, topics.recommendations))
        if made.recommendation_id in taken and made.recent
    }
    gone = _without_consent(settings, topics.users)
    lists = {name: made for name, made in lists.items() if made.user_id not in gone}
    users = {
        user: f"user {number}" for number, user in enumerate(dict.fromkeys(made.user_id for made in lists.values()))
    }
    recent = {item for made in lists.values() for item in made.recent}
    known = titles(settings, topics.items, recent, lambda value: read_item(value).title)
    examples = [
        example
        for name, made in lists.items()
        for example in _examples(made, users[made.user_id], taken[name], skipped.get(name, set()), known)
    ]
    found = sum(example.label == "yes" for example in examples)
    if found < FEWEST:
        raise SetupError(
            f"{topics.outcomes.name} and {topics.recommendations.name} hold {found} items with a title that a user "
            f"with titles took from a list; {FEWEST} are needed. Is the time that these topics are kept too short?"
        )
    return examples


def _values(settings: Settings, topic: Topic) -> Iterator[bytes]:
    return (record.value for record in read_all(settings, topic) if record.value is not None)


def _without_consent(settings: Settings, topic: Topic) -> set[str]:
    """Users whose newest declaration is null, says no, or cannot be read."""
    said = {record.key or b"": record.value for record in read_all(settings, topic)}
    return {key.decode(errors="replace") for key, value in said.items() if not _agrees(value)}


def _agrees(value: bytes | None) -> bool:
    try:
        return value is not None and _USER.decode(value).consent
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _examples(
    made: Recommendation, list_name: str, taken: Iterable[str], skipped: Iterable[str], known: Mapping[str, str]
) -> Iterator[Example]:
    profile = profile_text([title for item in made.recent if (title := known.get(item))])
    if not profile:
        return
    taken, skipped = set(taken), set(skipped)
    last = max((place for place, item in enumerate(made.items) if item.item_id in taken), default=-1)
    for item in made.items[: last + 1 + SEEN_BELOW]:
        if item.title and item.item_id in taken | skipped:
            label = "yes" if item.item_id in taken else "no"
            yield Example((profile, item_text(item.title)), label, list_name)
