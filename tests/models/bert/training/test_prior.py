"""The prior: what the bi-encoder says, as the start of the cross-encoder."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from models.bert.cross_encoder import CrossEncoder
from models.bert.encoder import Encoder
from models.bert.folder import ModelError, ModelFolder, find_model
from models.bert.prior import FILE, Closeness
from models.bert.training.examples import DataError, Example
from models.bert.training.prior import FittedPrior, fit_line, fit_prior
from models.bert.training.settings import TrainSettings
from models.bert.training.trainer import Trainer
from models.bert.training.written import write_model
from models.pair_texts import liked, profile_text
from tests.models.bert.tiny import make_model

PAIRS = [("red mug\nblue cup", "green cup"), ("tea pot\nnot: red lamp", "two lamp"), ("not: tea pot", "red mug")]
EXAMPLES = [
    Example((f"{color} mug\n{color} pot", f"{other} cup"), "yes" if color == other else "no", f"{number}")
    for number in range(6)
    for color in ("red", "blue", "green")
    for other in ("red", "blue", "green")
]


def untuned(parent: ModelFolder) -> FittedPrior:
    """The prior of a parent as it is, which leaves no files before it is written."""
    return fit_prior(parent, EXAMPLES, EXAMPLES, TrainSettings(prior_epochs=0), Path("nowhere"), "cpu", 0)


def test_the_line_is_that_of_a_logistic_regression() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(7)
    cosines = random.uniform(-1, 1, 400).astype(np.float32)
    positive = random.random(400) < 1 / (1 + np.exp(1.0 - 3 * cosines))
    line = fit_line(cosines, positive)
    expected = linear_model.LogisticRegression(C=1e3).fit(cosines[:, None], positive)
    assert line.slope == pytest.approx(float(expected.coef_[0, 0]), rel=1e-2)
    assert line.intercept == pytest.approx(float(expected.intercept_[0]), rel=2e-2)


def test_labels_that_cosines_tell_apart_leave_the_line_finite() -> None:
    line = fit_line(np.array([-1, -0.5, 0.5, 1], np.float32), np.array([False, False, True, True]))
    assert 0 < line.slope < 1e6


def test_cosines_are_with_the_mean_of_what_was_liked(tmp_path: Path) -> None:
    encoder = Encoder(find_model(str(make_model(tmp_path / "parent", labels=()))), "cpu")
    red, blue, green, pot, lamp = encoder.encode(["red mug", "blue cup", "green cup", "tea pot", "two lamp"])
    mean = (red + blue) / np.linalg.norm(red + blue)
    closeness = Closeness(encoder)
    for _ in range(2):  # the second time from what is kept
        assert closeness.cosines(PAIRS) == pytest.approx([mean @ green, pot @ lamp, 0.0], abs=1e-5)


def test_the_lines_of_a_profile_text_that_were_liked() -> None:
    assert liked(profile_text(["b", "a"], ["d", "c"])) == ["a", "b"]
    assert profile_text(["b", "a"], ["d", "c"], 1) == "b\nnot: d"
    assert liked("") == []


def test_a_cross_encoder_begins_with_its_prior_and_keeps_it(tmp_path: Path) -> None:
    parent, folder = find_model(str(make_model(tmp_path / "parent", labels=()))), tmp_path / "reader"
    folder.mkdir()
    prior = untuned(parent)
    known = prior.logits(EXAMPLES)
    settings = TrainSettings(epochs=1, batch=9, rate=0.0)
    trainer = Trainer(parent, EXAMPLES, EXAMPLES, settings, folder, "cpu", priors=(known, known))
    trainer.run(lambda _: None)
    write_model(trainer, folder, {})
    prior.write(folder)
    logits = CrossEncoder(find_model(str(folder)), "cpu", precision="float32").logits([one.texts for one in EXAMPLES])
    np.testing.assert_allclose(logits, np.stack([np.zeros(len(known)), known], axis=1), atol=1e-5)


def test_it_learns_what_the_prior_leaves(tmp_path: Path) -> None:
    parent = find_model(str(make_model(tmp_path / "parent", labels=())))
    examples = [
        Example((f"{first} mug", f"{second} {thing}"), "yes" if thing == "pot" else "no")
        for first in ("red", "blue", "green")
        for second in ("red", "blue", "green")
        for thing in ("pot", "lamp")
    ]
    flat = np.linspace(-1, 1, len(examples), dtype=np.float32)[::-1].copy()
    settings = TrainSettings(epochs=30, batch=6, rate=2e-3, patience=0)
    trainer = Trainer(parent, examples, examples, settings, tmp_path, "cpu", priors=(flat, flat))
    told = trainer.run(lambda _: None)
    assert told.history[told.best_epoch]["auc"] > 0.95


def test_a_model_is_trained_further_with_the_prior_of_its_parent(tmp_path: Path) -> None:
    parent = find_model(str(make_model(tmp_path / "parent", labels=())))
    first = untuned(parent)
    first.write(make_model(tmp_path / "reader"))
    again = untuned(find_model(str(tmp_path / "reader")))
    assert again.line == first.line
    np.testing.assert_allclose(again.logits(EXAMPLES), first.logits(EXAMPLES), atol=1e-6)


def test_a_prior_that_is_broken_or_of_three_labels_is_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "reader")
    (folder / FILE).write_text('{"slope": "steep"}')
    with pytest.raises(ModelError, match="cannot be read"):
        CrossEncoder(find_model(str(folder)), "cpu")
    three = [Example(("a", "b"), label) for label in ("no", "perhaps", "yes")]
    with pytest.raises(DataError, match="give --no-prior"):
        fit_prior(find_model(str(folder)), three, three, TrainSettings(), folder, "cpu", 0)
