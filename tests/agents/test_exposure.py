"""Counts of explored items: learner, its record, and the scorer that follows it."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import RecordError, SetupError
from agents.evaluation.memory import MemoryLog, MemoryTable, MemoryTransaction
from agents.exposure import EXPOSURE, Exposure, read_exposure, write_exposure
from agents.learner import LearnerAgent
from agents.packed import NEIGHBOURS, Neighbours, pack_floats, pack_ints
from agents.ranker import read_version
from agents.records import Item, ModelVersion, Outcome, OutcomeKind, encode_json
from agents.runtime.metrics import Metrics
from agents.scoring.scorer import Scorer
from agents.scoring.views import read_taken
from agents.settings import read_settings
from models.exposure import after
from models.pool import EXPLORE
from tests.agents.learner_support import keyed, outcomes

SETTINGS = read_settings(explore_slots=1, explore_impressions=3)
KINDS: tuple[OutcomeKind, ...] = ("clicked", "skipped", "bought", "shown")


class Log(MemoryLog):
    """Outcomes for a learner, and what it published last."""

    newest: dict[bytes, ModelVersion]

    def absorb(self, agent: LearnerAgent, made: Sequence[Outcome]) -> None:
        for key, value in keyed(made):
            self.send("outcomes", 0, key, value)
        agent.absorb(self.take("outcomes"), MemoryTransaction(self, MemoryTable()))
        for _, records in self.take("models").of("models"):
            for record in records:
                self.newest[record.key or b""] = msgspec.json.decode(record.value or b"", type=ModelVersion)

    def exposure(self) -> Exposure:
        return read_exposure(self.newest[EXPOSURE])


def make_log() -> Log:
    log = Log(1_000)
    log.newest = {}
    return log


def explored(item: str, kind: OutcomeKind, source: str = EXPLORE) -> Outcome:
    return Outcome("u", "r", kind, 1.0, item, 9, source=source)


made_outcomes = st.lists(
    st.builds(
        explored,
        st.sampled_from(["a", "b", "ö"]),
        st.sampled_from(KINDS),
        st.sampled_from([EXPLORE, EXPLORE, "item_cf"]),
    ),
    max_size=20,
)


@given(made_outcomes, st.lists(st.integers(0, 20), max_size=4), st.booleans())
def test_counts_are_those_of_the_outcomes_however_they_are_cut_and_restarted(
    made: list[Outcome], cuts: list[int], restart: bool
) -> None:
    log, agent = make_log(), LearnerAgent(SETTINGS, Metrics())
    places = sorted({0, len(made), *(cut for cut in cuts if cut < len(made))})
    for begin, end in pairwise(places):
        if restart and begin:
            agent = LearnerAgent(SETTINGS, Metrics())
            ranker, exposure = log.newest[b"ranker"], log.newest.get(EXPOSURE)
            assert agent.restore(ranker, exposure) == {0: begin}
        log.absorb(agent, made[begin:end])
    found = [(one.item_id or "", one.outcome != "skipped") for one in made if one.source == EXPLORE]
    kinds = [one.outcome for one in made if one.source == EXPLORE]
    expected = after({}, [one for one, kind in zip(found, kinds, strict=True) if kind != "shown"], 1_000, 1)
    assert (log.exposure().counts if EXPOSURE in log.newest else {}) == expected


def test_records_of_different_ages_count_each_outcome_once() -> None:
    """An earlier owner's ranker got in last: outcomes are read again from there, and not counted again."""
    log, agent = make_log(), LearnerAgent(SETTINGS, Metrics())
    log.absorb(agent, [explored("a", "clicked"), *outcomes(3)])
    old = log.newest[b"ranker"]
    log.absorb(agent, [explored("a", "skipped"), *outcomes(3, 2)])
    both, newest = log.exposure(), log.newest[b"ranker"]
    again = LearnerAgent(SETTINGS, Metrics())
    first = again.restore(old, log.newest[EXPOSURE])
    assert first == {0: 5}
    replayed = make_log()
    replayed.send("outcomes", 0, b"", b"")
    for _ in range(4):
        replayed.send("outcomes", 0, b"", b"")
    replayed.take("outcomes")
    replayed.absorb(again, [explored("a", "skipped"), *outcomes(3, 2)])
    assert replayed.exposure() == both
    assert encode_json(replayed.newest[b"ranker"]) == encode_json(newest)


def test_a_learner_that_begins_anew_counts_none_again_of_partitions_that_come_later() -> None:
    log, agent = make_log(), LearnerAgent(SETTINGS, Metrics())
    assert agent.restore(None, write_exposure(Exposure({"a": (5, 5)}, {0: 1, 1: 1}))) == {}
    log.absorb(agent, [explored("a", "clicked")])
    assert log.exposure() == Exposure({"a": (5, 5)}, {0: 1, 1: 1})


def test_an_exposure_that_cannot_be_read_stops_the_learner_with_a_remedy() -> None:
    agent = LearnerAgent(SETTINGS, Metrics())
    with pytest.raises(SetupError, match="send nulls with the keys ranker and exposure"):
        agent.restore(None, ModelVersion("exposure", "1", state=b"\x63"))


@pytest.mark.parametrize("counts", [{}, {"a": (1, 2), "ö": (0, 70_000)}])
def test_records_say_what_was_written(counts: dict[str, tuple[int, int]]) -> None:
    exposure = Exposure(counts, {0: 5, 3: 7})
    assert read_exposure(write_exposure(exposure)) == exposure


def test_counts_that_do_not_fit_are_refused() -> None:
    good = write_exposure(Exposure({"a": (1, 2)}))
    with pytest.raises(RecordError):
        read_exposure(msgspec.structs.replace(good, state=good.state[:-3]))
    bad = write_exposure(Exposure({"a": (-1, 2)}))
    with pytest.raises(RecordError):
        read_version(EXPOSURE, encode_json(bad))


def neighbours(users: int) -> bytes:
    nothing = pack_ints(np.zeros(0, np.int64))
    return NEIGHBOURS.write(Neighbours([], pack_floats(np.zeros(0)), nothing, nothing, users, 0, 0.0, 0.0))


def test_the_scorer_knows_who_is_new_from_neighbours_and_the_learners_record() -> None:
    scorer = Scorer(SETTINGS, None, None, Metrics())
    items: list[tuple[bytes, Item | None]] = [(f"i{n}".encode(), Item(f"i{n}")) for n in range(4)]
    taken = [(b"i0", read_taken(b"i0", neighbours(3))), (b"i1", read_taken(b"i1", neighbours(0)))]
    model = write_exposure(Exposure({"i0": (1, 0), "i2": (0, 3)}))
    scorer.follow(items=items, taken=taken, models=[(EXPOSURE, model)])
    scorer.new_items.refresh()
    index = scorer.catalogue.index
    assert [index.ids[place] for place in scorer.new_items.places.tolist()] == ["i0", "i1", "i3"]
    scorer.follow(models=[(EXPOSURE, None)])
    scorer.new_items.refresh()
    assert [index.ids[place] for place in scorer.new_items.places.tolist()] == ["i1", "i2", "i3"]
