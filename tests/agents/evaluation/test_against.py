"""Models of others in an evaluation: the same events, the same moments."""

import pytest

from agents.errors import SetupError
from agents.evaluation.against import REFITS, Against, chosen
from agents.evaluation.datasets import Dataset
from agents.evaluation.prequential import Prequential
from agents.settings import read_settings
from models.peers import ease
from models.peers.ease import Ease
from models.peers.peer import Peer
from models.peers.rules import SequentialRules
from tests.agents.evaluation.test_prequential import bought, pairs_of


class Counting(Ease):
    """Counts its fits, and what it is asked."""

    fits, asked = 0, 0

    def fit(self, histories, items):  # type: ignore[no-untyped-def]
        self.fits += 1
        super().fit(histories, items)

    def recommend(self, histories, k):  # type: ignore[no-untyped-def]
        self.asked += len(histories)
        return super().recommend(histories, k)


def test_they_answer_for_the_same_events() -> None:
    peers: dict[str, Peer] = {"ease": Counting(regularisation=1.0), "rules": SequentialRules()}
    played = Prequential(Dataset("test", bought(*pairs_of(200)), []), read_settings(), 10, peers=peers)
    report = played.run(0.5, lambda _: None)
    assert list(report.methods) == ["profilestream", "popular", "ease", "rules"]
    assert {tuple(method.accuracy.users) for method in report.methods.values()} == {tuple(report.lists.users)}
    assert set(report.methods["rules"].accuracy.ranks) == {0}
    assert set(report.methods["ease"].accuracy.ranks) == {0}
    counting = peers["ease"]
    assert isinstance(counting, Counting)
    assert (counting.fits, counting.asked) == (1 + REFITS, len(report.lists.ranks))
    assert len(report.methods["popular"].exposure.shown) <= len(report.exposure.shown)


def test_histories_are_current_and_models_as_of_the_last_fit() -> None:
    against = Against({"ease": Ease(regularisation=1.0), "rules": SequentialRules()})
    against.follow([(user, item) for user in "abcd" for item in ("x", "y")])
    against.follow([("e", "z")])
    against.fit()
    against.follow([("f", "x"), ("f", "new"), ("f", "x"), ("g", "x"), ("g", "new"), ("h", "x"), ("h", "new")])
    lists = against.ask(["f", "nobody"], 5)
    assert lists["ease"][0] == ["y", "z"], "not x, which the user has; new is not known yet"
    assert lists["rules"][0] == ["y", "z"]
    assert sorted(lists["rules"][1]) == ["new", "x", "y", "z"]
    against.follow([("i", "x")])
    assert against.ask(["i"], 5)["rules"][0][:2] == ["y", "new"]
    assert "new" not in against.ask(["i"], 5)["ease"][0]
    against.fit()
    assert "new" in against.ask(["i"], 5)["ease"][0]


def test_wrong_names_and_too_many_items_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match="--against svd: must be of popular, ease, implicit, sequential"):
        chosen("ease,svd", 1.0)
    assert list(chosen(" ease, popular,", 1.0)) == ["ease"]
    assert chosen("", 1.0) == {}
    monkeypatch.setattr(ease, "MOST_ITEMS", 1)
    against = Against(chosen("ease", 1.0))
    against.follow([("a", "x"), ("a", "y")])
    with pytest.raises(SetupError, match="leave it out"):
        against.fit()
