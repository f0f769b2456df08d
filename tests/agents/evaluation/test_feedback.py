"""Lists that learn from what is taken from them, as the workers do it."""

import numpy as np
import pytest

from agents.evaluation.datasets import Dataset, load
from agents.evaluation.events import EvaluationEvent
from agents.evaluation.pipeline import Pipeline
from agents.evaluation.prequential import Prequential
from agents.evaluation.report import Report
from agents.records import Event
from agents.settings import read_settings
from models.accuracy import NOT_IN_LIST

NOW_MS = 1_790_000_000_000


def visits(count: int) -> list[EvaluationEvent]:
    """Users who come twice: the first thing they take is odd and says nothing, the second one is popular."""
    random = np.random.default_rng(1)
    made = []
    for number in range(count):
        for step, item in enumerate((f"odd{random.integers(200)}", f"hit{random.geometric(0.2)}")):
            event = Event(user_id=f"u{number}", event_type="purchase", item_id=item, timestamp=NOW_MS / 1000 + number)
            made.append(EvaluationEvent(event, NOW_MS + 1_000 * number + step, ""))
    return made


def run(dataset: Dataset, *, feedback: bool, until: float = 1.0) -> Report:
    settings = read_settings(similarity="co")
    return Prequential(dataset, settings, 5, until, feedback=feedback).run(0.2, lambda _: None)


def test_feedback_finds_what_users_take() -> None:
    dataset = Dataset("test", visits(1_500), [])
    without, taught = run(dataset, feedback=False), run(dataset, feedback=True)
    assert without.ranker is None
    assert taught.ranker is not None
    assert taught.ranker.active
    assert taught.ranker.weights["popular:0"] > taught.ranker.weights["item_cf:0"]
    hits = [np.array(report.lists.ranks) != NOT_IN_LIST for report in (taught, without)]
    gained = hits[0].astype(float) - hits[1]
    assert gained.mean() > 3 * gained.std() / np.sqrt(len(gained))


def test_choices_are_the_hits() -> None:
    report = run(load("sample"), feedback=True, until=0.03)
    assert report.ranker is not None
    assert int(report.ranker.version) == sum(rank >= 0 for rank in report.lists.ranks)
    assert not report.rejected


@pytest.mark.parametrize("feedback", [False, True])
def test_without_lists_nothing_is_learned(feedback: bool) -> None:
    pipeline = Pipeline(read_settings(), NOW_MS, feedback)
    pipeline.absorb([one.record() for one in visits(20)], NOW_MS)
    assert pipeline.ranker is None
