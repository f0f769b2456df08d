"""The learner on batches without a broker, and the scorer that follows it."""

import json
from collections.abc import Sequence

import msgspec
import pytest

from agents.errors import SetupError
from agents.evaluation.memory import MemoryLog, MemoryTable, MemoryTransaction
from agents.learner import LearnerAgent
from agents.packed import CANDIDATES
from agents.ranker import RANKER, read_version
from agents.records import Choice, ModelVersion, Outcome, encode_json
from agents.runtime.metrics import Metrics
from agents.scoring.scorer import Scorer
from agents.settings import read_settings
from tests.agents.learner_support import WANTED, keyed, outcomes
from tests.agents.scorer_support import make_candidates

SETTINGS = read_settings(diversity=0.0)
CHOICES = 400


class Learning:
    """A learner on a log in memory."""

    def __init__(self, **settings: object) -> None:
        self.metrics, self.log = Metrics(), MemoryLog(1_000)
        self.agent = LearnerAgent(SETTINGS.model_copy(update=settings), self.metrics)

    def absorb(self, records: Sequence[tuple[bytes | None, bytes | None]]) -> ModelVersion:
        for key, value in records:
            self.log.send("outcomes", 0, key, value)
        self.agent.absorb(self.log.take("outcomes"), MemoryTransaction(self.log, MemoryTable()))
        ((_, (record,)),) = self.log.take("models").of("models")
        assert (record.key, record.partition) == (RANKER, 0)
        return read_version(RANKER, record.value or b"")

    def metric(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"profilestream_{name}")


def test_what_users_choose_becomes_weights() -> None:
    learning = Learning()
    model = learning.absorb(keyed(outcomes(CHOICES)))
    assert (model.version, model.active) == (str(CHOICES), True)
    assert model.weights[f"{WANTED}:0"] > model.weights["item_cf:0"]
    assert model.gain_error is not None
    assert model.gain > 2 * model.gain_error
    assert learning.metric("ranker_active") == 1
    assert learning.metric("ranker_gain") == model.gain
    assert not learning.log.rejected


def test_learned_weights_are_used_from_so_many_standard_errors_on() -> None:
    records = keyed(outcomes(CHOICES))
    model = Learning().absorb(records)
    assert model.gain_error is not None
    errors = model.gain / model.gain_error
    assert Learning(learned_errors=0.99 * errors).absorb(records).active
    assert not Learning(learned_errors=1.01 * errors).absorb(records).active


def test_what_a_choice_taught_fades_with_the_half_life() -> None:
    records = keyed([*outcomes(CHOICES), *mirrored(outcomes(CHOICES, 2, CHOICES))])
    long, short = (Learning(learning_half_life=half_life).absorb(records) for half_life in (1e6, 100))
    wanted = [model.weights[f"{WANTED}:0"] / model.weights["item_cf:0"] for model in (long, short)]
    assert wanted[1] < wanted[0], "tastes turned: who forgets sooner has turned with them"


def mirrored(made: list[Outcome]) -> list[Outcome]:
    """The same choices of users who want what `item_cf` says."""
    turned = []
    for one in made:
        if one.choice is not None:
            scores = one.choice.features
            swapped = {**scores, WANTED: scores["item_cf"], "item_cf": scores[WANTED]}
            turned.append(msgspec.structs.replace(one, choice=Choice(one.choice.positions, swapped)))
    return turned


def test_goes_on_from_what_was_published_as_if_it_had_not_stopped() -> None:
    records, whole, first, second = keyed(outcomes(CHOICES)), Learning(), Learning(), Learning()
    whole.absorb(records[:200])
    one = first.absorb(records[:200])
    assert second.agent.restore(one) == {0: 200}
    for key, value in records[:200]:
        second.log.send("outcomes", 0, key, value)
    second.log.take("outcomes")
    assert encode_json(second.absorb(records[200:])) == encode_json(whole.absorb(records[200:]))


def test_nothing_published_and_other_settings_begin_at_the_start() -> None:
    learning = Learning()
    model = learning.absorb(keyed(outcomes(100)))
    assert learning.agent.restore(None) == {}
    other = LearnerAgent(SETTINGS.model_copy(update={"weight_popular": 0.3}), Metrics())
    assert other.restore(model) == {}
    broken = msgspec.structs.replace(model, state=b"\x63")
    with pytest.raises(SetupError, match="cannot be read"):
        learning.agent.restore(broken)


def test_bad_outcomes_are_put_aside_and_the_others_count() -> None:
    good = outcomes(1)[0]
    assert good.choice is not None
    choice = good.choice
    bad = [
        msgspec.structs.replace(good, position=None),
        msgspec.structs.replace(good, position=7),
        msgspec.structs.replace(good, choice=Choice([0, 0], {})),
        msgspec.structs.replace(good, choice=Choice(choice.positions, {WANTED: [1.0]})),
    ]
    learning = Learning()
    model = learning.absorb([*keyed(bad), (b"u", b"{"), (b"u", None), *keyed([good])])
    assert learning.log.rejected == {"bad_field": 4, "bad_json": 1, "null_value": 1}
    assert model.version == "1"


def test_what_says_nothing_is_no_choice() -> None:
    alone = Outcome("u", "one", "clicked", 1.0, "a", 0, choice=Choice([0], {WANTED: [1.0]}))
    before = Outcome("u", "one", "bought", 1.0, "a", 0)
    learning = Learning()
    assert learning.absorb(keyed([alone, before])).version == "0"
    assert not learning.log.rejected


def test_features_out_of_range_do_no_harm() -> None:
    wild = Outcome(
        "u",
        "one",
        "clicked",
        1.0,
        "a",
        0,
        choice=Choice([0, 1], {WANTED: [1e300, -1e300], "history_length": [-1e300] * 2}),
    )
    model = Learning().absorb(keyed([wild] * 3))
    assert all(0 <= weight < 2 for weight in model.weights.values())


def test_without_any_weight_there_is_nothing_to_learn() -> None:
    names = [name for name in type(SETTINGS).model_fields if name.startswith("weight_")]
    with pytest.raises(SetupError, match="PROFILESTREAM_WEIGHT_"):
        LearnerAgent(SETTINGS.model_copy(update=dict.fromkeys(names, 0.0)), Metrics())


def lists_of(scorer: Scorer, log: MemoryLog) -> tuple[str, list[str]]:
    """The ranker of a list, and its items: by the settings what `item_cf` says, by what is learned the popular one."""
    scores = {"cf": {"item_cf": 1.0, "popular": 0.1}, "pop": {"item_cf": 0.4, "popular": 1.0}}
    log.send("candidates", 0, b"u1", CANDIDATES.write(make_candidates(scores=scores)))
    scorer.absorb(log.take("candidates"), MemoryTransaction(log, MemoryTable()))
    ((_, (record,)),) = log.take("recommendations").of("recommendations")
    made = json.loads(record.value or b"")
    assert all(sum(item["sources"].values()) == pytest.approx(1.0) for item in made["items"])
    return made["ranker"], [item["item_id"] for item in made["items"]]


def test_a_scorer_ranks_with_what_is_learned_while_it_is_better() -> None:
    learning = Learning()
    model = learning.absorb(keyed(outcomes(CHOICES)))
    scorer, log = Scorer(SETTINGS, None, None, Metrics()), MemoryLog(1_000)
    assert lists_of(scorer, log) == ("fixed", ["cf", "pop"])
    scorer.rank_with(model)
    assert lists_of(scorer, log) == (str(CHOICES), ["pop", "cf"])
    scorer.rank_with(msgspec.structs.replace(model, active=False))
    assert lists_of(scorer, log) == ("fixed", ["cf", "pop"])
    scorer.rank_with(model)
    scorer.rank_with(None)
    assert lists_of(scorer, log) == ("fixed", ["cf", "pop"])


def test_a_scorer_with_other_sources_keeps_its_own_weights() -> None:
    model = Learning().absorb(keyed(outcomes(CHOICES)))
    scorer = Scorer(SETTINGS.model_copy(update={"weight_fresh": 0.0}), None, None, Metrics())
    scorer.rank_with(model)
    assert lists_of(scorer, MemoryLog(1_000)) == ("fixed", ["cf", "pop"])
