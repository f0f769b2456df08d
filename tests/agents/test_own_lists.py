"""Lists that a profiles worker makes itself: those of a scorer, and in the profile from the same transaction on."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from agents.errors import SettingsError
from agents.packed import NEIGHBOURS, PROFILE, Neighbours, pack_floats, pack_ints
from agents.profiles import ProfilesAgent
from agents.records import NOTED_HEADER, Event, Item, Recommendation, Request, Rule, User, encode_json
from agents.runtime.metrics import Metrics
from agents.scoring.scorer import Scorer
from agents.scoring.views import Views
from agents.settings import read_settings
from models.profile import Profile
from tests.agents.in_memory import Log, Worker
from tests.agents.runtime.test_positions import Rec

USERS = ("ann", "bob", "eve")
read_list = msgspec.json.Decoder(Recommendation).decode


class Played:
    """A profiles worker with ten items in its view, i1 and i2 near i0, and what it sent."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.settings = read_settings(
            user_partitions=1, item_partitions=1, data_dir=folder, trigger_max_age_s=0, **options
        )
        self.metrics = Metrics()
        self.agent, self.log = ProfilesAgent(self.settings, self.metrics), Log()
        for number in range(10):
            near = ["i1", "i2"] if number == 0 else []
            ones = np.ones(len(near), np.int64)
            value = Neighbours(
                near, pack_floats(np.ones(len(near))), pack_ints(ones), pack_ints(ones), 1, 1, float(number), 0.0
            )
            self.agent.knowledge.neighbours.put(f"i{number}".encode(), NEIGHBOURS.write(value))
        self.worker = Worker(self.settings, folder, "profiles", self.agent, self.log)
        self._offsets = dict.fromkeys(("events", "users", "requests"), 0)

    def absorb(self, topic: str, *records: tuple[str, object]) -> None:
        begin = self._offsets[topic]
        self._offsets[topic] += len(records)
        self.worker.absorb(
            topic,
            [
                Rec(topic, 0, begin + number, self.log.now_ms, user.encode(), encode_json(value))
                for number, (user, value) in enumerate(records)
            ],
        )

    def lists(self) -> list[Recommendation]:
        return [read_list(record.value or b"") for record in self.log.all("recommendations")]

    def outcomes(self) -> list[tuple[str, str, str | None]]:
        found = [json.loads(record.value or b"") for record in self.log.all("outcomes")]
        return [(one["recommendation_id"], one["outcome"], one["item_id"]) for one in found]

    def row(self, user: str) -> bytes | None:
        (row,) = self.worker.table.read(0, [user.encode()])
        return row

    def profile(self, user: str) -> Profile:
        return PROFILE.read(self.row(user) or b"")


def bought(user: str, item: str) -> tuple[str, Event]:
    return user, Event(user, "purchase", item)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Played]:
    played = Played(tmp_path / "own", lists_by="profiles", lists_in_flight=1)
    yield played
    played.worker.close()


@pytest.fixture
def by_scorer(tmp_path: Path) -> Iterator[Played]:
    played = Played(tmp_path / "two", lists_in_flight=1)
    yield played
    played.worker.close()


def fill(views: Views) -> None:
    """A catalogue, an item that rules pin, and one that they block."""
    items, rules, *_ = views.all
    for number in range(10):
        items.put(f"i{number}".encode(), encode_json(Item(f"i{number}", title=f"Cup {number}", categories=["cups"])))
    for rule in (Rule("first", "pin", ["i9"], position=0), Rule("never", "block", ["i1"])):
        rules.put(rule.name.encode(), encode_json(rule))


def test_they_are_the_lists_of_a_scorer(own: Played, by_scorer: Played) -> None:
    assert own.agent.lists is not None
    fill(own.agent.lists.views)
    for played in (own, by_scorer):
        played.absorb("users", ("eve", User("eve", {"age": 30.0})))
        played.absorb("events", *(bought(user, "i0") for user in USERS), bought("bob", "i3"))
        played.absorb("requests", ("ann", Request("ann", "r", k=3)), ("new", Request("new", "s")))
    scorer = Worker(by_scorer.settings, by_scorer.settings.data_dir, "scorer", _Scoring(by_scorer), by_scorer.log)
    scorer.absorb("candidates", by_scorer.log.all("candidates"))
    scorer.close()
    assert own.log.all("candidates") == []
    made, wanted = (
        [msgspec.structs.replace(one, created_at=0.0) for one in played.lists()] for played in (own, by_scorer)
    )
    assert len(made) == 5
    assert made == wanted
    assert [item.item_id for item in made[0].items][:2] == ["i9", "i2"]
    assert made[0].items[1].reason == "because you bought Cup 0"
    assert "i1" not in {item.item_id for one in made for item in one.items}


class _Scoring(Scorer):
    """A scorer as an agent."""

    def __init__(self, played: Played) -> None:
        super().__init__(played.settings, None, None, Metrics())
        views = Views(played.settings)
        fill(views)
        self.follow(*views.drain())

    def assigned(self, *_: object) -> None:
        """It keeps nothing of partitions."""

    def pending(self) -> bool:
        return False

    def refresh(self) -> None:
        """Nothing changes."""


def test_the_profile_has_a_list_from_the_transaction_on_that_sends_it(own: Played) -> None:
    own.absorb("events", bought("ann", "i0"))
    (sent,) = own.lists()
    (flight,) = own.profile("ann").lists
    assert (flight.recommendation_id, flight.items) == (sent.recommendation_id, [item.item_id for item in sent.items])
    assert flight.features.of([0]) == [sent.items[0].features]
    own.absorb("events", ("ann", Event("ann", "click", "i1", recommendation_id=sent.recommendation_id)))
    assert own.outcomes() == [(sent.recommendation_id, "clicked", "i1")]


def test_what_comes_back_is_passed_over_and_a_list_of_a_scorer_is_not(own: Played) -> None:
    own.absorb("events", bought("ann", "i0"))
    (record,) = own.log.all("recommendations")
    assert [name for name, _ in record.headers] == [NOTED_HEADER]
    before, written = own.row("ann"), len(own.log.all(own.worker.changelog))
    own.worker.absorb("recommendations", [record])
    assert own.row("ann") == before
    assert len(own.log.all(own.worker.changelog)) == written + 1  # the seal
    other = msgspec.structs.replace(read_list(record.value or b""), recommendation_id="of a scorer")
    own.worker.absorb("recommendations", [Rec("recommendations", 0, 1, own.log.now_ms, b"ann", encode_json(other))])
    assert own.profile("ann").lists[-1].recommendation_id == "of a scorer"


def test_the_oldest_list_beyond_the_limit_is_closed_by_the_next_event(own: Played) -> None:
    own.absorb("events", bought("ann", "i0"))
    own.absorb("events", bought("ann", "unlisted"))
    first, second = own.lists()
    assert [flight.recommendation_id for flight in own.profile("ann").lists] == [
        first.recommendation_id,
        second.recommendation_id,
    ]
    own.absorb("events", ("ann", Event("ann", "view", "other")))
    assert [flight.recommendation_id for flight in own.profile("ann").lists] == [second.recommendation_id]
    assert own.outcomes() == [(first.recommendation_id, "skipped", item.item_id) for item in first.items]
    own.absorb("requests", *(("ann", Request("ann", f"r{number}")) for number in range(5)))
    assert len(own.profile("ann").lists) == 2  # not even many lists of one batch are all kept


def test_lists_are_counted(own: Played) -> None:
    own.absorb("events", *(bought(user, "i0") for user in USERS))
    own.absorb("events", bought("ann", "i3"))
    counted = own.metrics.registry.get_sample_value
    assert counted("profilestream_lists_total", {"degraded": "false"}) == len(own.lists()) == len(USERS) + 1
    assert counted("profilestream_lists_total", {"degraded": "true"}) is None
    assert counted("profilestream_pairs_scored_total") == 0


def test_without_consent_a_list_is_sent_and_nothing_is_kept(own: Played) -> None:
    own.absorb("users", ("ann", User("ann", consent=False)))
    own.absorb("events", bought("ann", "i0"))
    assert len(own.lists()) == 1
    assert own.profile("ann") == Profile(consent=False)


@pytest.mark.parametrize("name", ["bert_model", "cross_model"])
def test_models_that_read_texts_need_a_scorer(name: str) -> None:
    with pytest.raises(SettingsError, match=f"PROFILESTREAM_{name.upper()}: only a scorer reads texts"):
        read_settings(lists_by="profiles", **{name: "bundled"})
