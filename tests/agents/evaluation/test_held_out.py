"""Random splits within each user."""

import pytest

from agents.errors import SetupError
from agents.evaluation.against import chosen
from agents.evaluation.datasets import Dataset
from agents.evaluation.figures import split_figures
from agents.evaluation.held_out import run, split
from agents.settings import read_settings
from tests.agents.evaluation.test_prequential import bought, event


def families(users: int) -> list[tuple[str, str]]:
    """Every user takes eight of the twelve items of a family, one of five, one family after the other."""
    return [(f"u{user}", f"{user % 5}-{(user + n) % 12}") for n in range(8) for user in range(users)]


def test_each_user_s_items_are_split_and_keep_their_order() -> None:
    events = [*bought(*families(20)), event("u0", None, "search", 999), *bought(("once", "x"))]
    train, held = split(events, 0.75, seed=1)
    assert all(len(items) == 2 for items in held.values())
    assert "once" not in held
    assert train == [one for one in events if one.event.item_id not in held.get(one.user_id, ())]
    assert split(events, 0.75, seed=1)[1] == held
    assert split(events, 0.75, seed=2)[1] != held


def test_all_events_of_an_item_are_on_one_side() -> None:
    train, held = split(bought(*families(20), *families(20)), 0.5, seed=1)
    assert all(one.taken not in held[one.user_id] for one in train)
    assert len(train) == 20 * 4 * 2


def test_lists_find_the_family_beside_ease() -> None:
    dataset = Dataset("test", bought(*families(100)), [])
    runs = [run(dataset, read_settings(), 10, 0.75, seed, chosen("ease", 0.0), lambda _: None) for seed in (1, 2)]
    told = split_figures(runs, 10, 60)
    assert told["users"] == [100, 100]
    for method in ("profilestream", "ease"):
        value, error = told["methods"][method]["Recall@10"]
        assert value > 0.9, "of six known items of twelve, the other six fit into ten places"
        assert error is not None
    ours, theirs = (told["runs"][0][method]["nDCG@10"] for method in ("profilestream", "ease"))
    assert told["nDCG@10_to_ease"]["runs"][0] == pytest.approx(ours / theirs, abs=1e-4)


def test_without_ease_there_is_no_ratio_and_nothing_held_back_is_said() -> None:
    dataset = Dataset("test", bought(*families(20)), [])
    told = split_figures([run(dataset, read_settings(), 5, 0.5, 1, chosen("sequential", 0.0), lambda _: None)], 5, 60)
    assert list(told["methods"]) == ["profilestream", "popular", "sequential rules"]
    assert told["methods"]["popular"]["nDCG@5"][0] < told["methods"]["sequential rules"]["nDCG@5"][0]
    assert told["nDCG@5_to_ease"] == {"runs": [], "mean": [None, None]}
    with pytest.raises(SetupError, match="no user has items enough"):
        run(Dataset("test", bought(("a", "x")), []), read_settings(), 5, 0.5, 1, {}, lambda _: None)
