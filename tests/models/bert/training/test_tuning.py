"""The bi-encoder of a prior learns which titles are taken together."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from models.bert.cross_encoder import CrossEncoder
from models.bert.encoder import Encoder
from models.bert.folder import ModelFolder, find_model
from models.bert.prior import FOLDER, Closeness, read_prior
from models.bert.training.examples import Example, numbers_of
from models.bert.training.measures import auc
from models.bert.training.prior import FittedPrior, fit_prior
from models.bert.training.settings import TrainSettings
from models.bert.training.tuning import Anchor, TitleTuner, anchors_of, info_nce, untold
from models.pair_texts import profile_text
from tests.models.bert.tiny import make_model

GOES_WITH = dict(zip("abcdefgh", "ijklmnop", strict=True))
"""Words that say nothing of each other: only the lists tell."""
COLORS = ("red", "blue", "green", "good", "very", "two", "bad")
LISTS = [
    Example(
        (profile_text([f"{color} {thing}", f"{thing} of {color}"]), f"{COLORS[place - 1]} {taken}"),
        "yes" if GOES_WITH[thing] == taken else "no",
        f"{color} {thing}",
    )
    for place, color in enumerate(COLORS)
    for thing in GOES_WITH
    for taken in GOES_WITH.values()
]
LEARNED = [one for one in LISTS if "bad" not in one.of_list]
HELD_OUT = [one for one in LISTS if "bad" in one.of_list]
SETTINGS = TrainSettings(prior_epochs=20, prior_rate=3e-3)


def bi_encoder(folder: Path) -> ModelFolder:
    """One that has not learned anything yet: with weights as large as the other tests' it would take long."""
    return find_model(str(make_model(folder, labels=(), num_hidden_layers=1, initializer_range=0.02)))


def fitted(parent: ModelFolder, folder: Path, settings: TrainSettings = SETTINGS) -> tuple[FittedPrior, list[int]]:
    """The prior, and the steps that were told."""
    told: list[int] = []

    def tell(step: int, steps: int, loss: float) -> None:
        assert step <= steps
        assert loss > 0
        told.append(step)

    return fit_prior(parent, LEARNED, HELD_OUT, settings, folder, "cpu", 0, tell), told


def test_the_loss_is_that_of_the_formula() -> None:
    random = np.random.default_rng(7)
    profiles, titles = (random.normal(size=(count, 4)) for count in (2, 3))
    taken = np.array([[True, True, False], [False, False, True]])
    others = np.array([[False, False, True], [True, False, False]])  # the second profile holds the middle title
    powers = np.exp(2.0 * profiles @ titles.T)
    expected = np.mean(
        [
            -np.log(powers[0, 0] / (powers[0, 0] + powers[0, 2])),
            -np.log(powers[0, 1] / (powers[0, 1] + powers[0, 2])),
            -np.log(powers[1, 2] / (powers[1, 2] + powers[1, 0])),
        ]
    )
    tensors = [torch.from_numpy(array) for array in (profiles, titles)]
    masks = [torch.from_numpy(array) for array in (taken, others)]
    loss = info_nce(tensors[0], tensors[1], masks[0], masks[1], scale=2.0)
    assert float(loss) == pytest.approx(expected)


def test_lists_without_titles_or_without_anything_taken_teach_nothing() -> None:
    examples = [
        Example(("a\nb", "c"), "yes", "1"),
        Example(("a\nb", "d"), "no", "1"),
        Example(("not: a", "c"), "yes", "2"),
        Example(("a", "c"), "no", "3"),
        Example(("e", "f"), "yes"),
        Example(("g", "h"), "yes"),
    ]
    positive = numbers_of(examples, ["no", "yes"]) == 1
    assert anchors_of(examples, positive) == [
        Anchor(["a", "b"], ["c"], ["d"]),
        Anchor(["e"], ["f"], []),
        Anchor(["g"], ["h"], []),
    ]


def test_what_is_taken_together_comes_near_in_titles_never_seen(tmp_path: Path) -> None:
    parent, folder = bi_encoder(tmp_path / "parent"), tmp_path / "reader"
    prior, steps = fitted(parent, folder)
    positive = numbers_of(HELD_OUT, ["no", "yes"]) == 1
    cosines = Closeness(Encoder(parent, "cpu")).cosines([one.texts for one in HELD_OUT])
    before = auc(positive, cosines.astype(np.float64))
    assert prior.tuned
    assert before < 0.75
    assert auc(positive, prior.logits(HELD_OUT).astype(np.float64)) > 0.9
    assert steps == list(range(1, len(steps) + 1))


def test_the_tuned_encoder_stays_in_the_folder_and_is_read_from_there(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "reader")
    prior, _ = fitted(bi_encoder(tmp_path / "parent"), folder)
    prior.write(folder)
    pairs = [one.texts for one in HELD_OUT]
    again = read_prior(folder, "cpu", 0)
    assert again is not None
    np.testing.assert_allclose(again.logits(pairs), prior.logits(HELD_OUT), atol=1e-5)
    assert CrossEncoder(find_model(str(folder)), "cpu").chances(pairs).shape == (len(pairs), 2)


def test_a_resumed_training_does_not_tune_again_and_other_data_does(tmp_path: Path) -> None:
    parent, folder = bi_encoder(tmp_path / "parent"), tmp_path / "reader"
    first, _ = fitted(parent, folder)
    again, steps = fitted(parent, folder)
    assert steps == []
    assert again.line == first.line
    assert fitted(parent, folder, TrainSettings(prior_epochs=1))[1] != []


def test_an_encoder_that_got_worse_is_not_taken(tmp_path: Path) -> None:
    parent, folder = bi_encoder(tmp_path / "parent"), tmp_path / "reader"
    flipped = [Example(one.texts, "yes" if one.label == "no" else "no", one.of_list) for one in HELD_OUT]
    prior = fit_prior(parent, LEARNED, flipped, SETTINGS, folder, "cpu", 0)
    assert not prior.tuned
    prior.write(folder)
    plain = Encoder(parent, "cpu").encode(["red mug"])
    np.testing.assert_allclose(Encoder(find_model(str(folder / FOLDER)), "cpu").encode(["red mug"]), plain, atol=1e-6)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    parent = bi_encoder(tmp_path / "parent")
    anchors = anchors_of(LEARNED, numbers_of(LEARNED, ["no", "yes"]) == 1)
    weights = []
    for _ in range(2):
        tuner = TitleTuner(parent, TrainSettings(), "cpu")
        tuner.run(anchors, untold)
        weights.append(tuner.model.state_dict())
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
