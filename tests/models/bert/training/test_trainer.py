"""Training of tiny models: it learns, it stops, it goes on where it was, and its folder can be used."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bert.folder import ModelFolder, find_model
from models.bert.training.examples import DataError, Example
from models.bert.training.settings import TrainSettings

torch = pytest.importorskip("torch")

from models.bert.cross_encoder import CrossEncoder  # noqa: E402
from models.bert.training import checkpoint  # noqa: E402
from models.bert.training.batches import class_weights, epoch_batches  # noqa: E402
from models.bert.training.curves import Curves  # noqa: E402
from models.bert.training.steps import factor  # noqa: E402
from models.bert.training.trainer import Told, Trainer  # noqa: E402
from models.bert.training.written import check_free, json_of, read_card, write_model  # noqa: E402
from tests.models.bert.tiny import WORDS, make_model  # noqa: E402

QUICK = TrainSettings(epochs=3, batch=16, rate=3e-3, checkpoint_steps=4, max_tokens=24, patience=0)


class InterruptionError(Exception):
    """What a test stops a training with."""


def sentiment(count: int, seed: int = 0, share: float = 0.5) -> list[Example]:
    """Texts of random words that are good or bad."""
    draw, examples = random.Random(seed), []
    for _ in range(count):
        label = "good" if draw.random() < share else "bad"
        words = [*draw.choices(WORDS[:10], k=draw.randint(1, 8)), label]
        draw.shuffle(words)
        examples.append(Example((" ".join(words),), label))
    return examples


def likes(count: int, seed: int = 0) -> list[Example]:
    """Pairs: who has a thing of a colour likes things of this colour."""
    draw, examples = random.Random(seed), []
    for number in range(count):
        mine, other = draw.choices(["red", "blue"], k=2)
        texts = (f"{mine} {draw.choice(WORDS[3:8])}", f"{draw.choice(WORDS[3:8])} {other}")
        examples.append(Example(texts, "yes" if mine == other else "no", f"user {number // 8}"))
    return examples


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    path = tmp_path_factory.mktemp("parents") / "tiny"
    return find_model(str(make_model(path, (), initializer_range=0.1)))


def trained(
    parent: ModelFolder, folder: Path, settings: TrainSettings = QUICK, resume: bool = False, stop_at: int = 0
) -> tuple[Trainer, list[Told]]:
    trainer, told = Trainer(parent, sentiment(160), sentiment(60, 1), settings, folder, "cpu"), list[Told]()

    def tell(one: Told) -> None:
        told.append(one)
        if one.step == stop_at and one.figures is None:
            raise InterruptionError

    trainer.run(tell, resume)
    return trainer, told


def unheard(_: Told) -> None:
    """Nobody looks on."""


def changed(**settings: Any) -> TrainSettings:
    return TrainSettings(**{**vars(QUICK), **settings})


def test_a_text_classifier_learns_and_its_folder_gives_the_same_chances(parent: ModelFolder, tmp_path: Path) -> None:
    trainer, told = trained(parent, tmp_path, changed(epochs=6))
    assert max(figures["accuracy"] for figures in trainer.progress.history) > 0.95
    assert told[-2].loss < told[0].loss
    write_model(trainer, tmp_path, {"task": "texts"})
    assert not (tmp_path / "checkpoint").exists()
    encoder = CrossEncoder(find_model(str(tmp_path)), "cpu", precision="float32")
    assert (encoder.labels, encoder.max_tokens) == (["bad", "good"], 24)
    chances = encoder.chances([example.texts for example in sentiment(60, 1)])
    np.testing.assert_allclose(chances, trainer._chances(trainer._validation), atol=1e-4)
    assert read_card(tmp_path) == {"task": "texts"}


def test_pairs_are_learned_as_pairs(parent: ModelFolder, tmp_path: Path) -> None:
    trainer = Trainer(parent, likes(600), likes(80, 1), changed(epochs=12), tmp_path, "cpu")
    progress = trainer.run(unheard)
    assert max(figures["auc"] for figures in progress.history) > 0.9
    assert "nDCG@10" in progress.history[0]


@pytest.mark.parametrize("stop_at", [6, 10, 15])
def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(
    parent: ModelFolder, tmp_path: Path, stop_at: int
) -> None:
    settings = changed(accumulate=1)
    whole, _ = trained(parent, tmp_path / "whole", settings)
    with pytest.raises(InterruptionError):
        trained(parent, tmp_path / "broken", settings, stop_at=stop_at)
    torch.manual_seed(99)
    resumed, told = trained(parent, tmp_path / "broken", settings, resume=True)
    assert 0 < told[0].step <= stop_at
    assert resumed.progress.history == whole.progress.history
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_a_checkpoint_of_another_training_is_refused(parent: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        trained(parent, tmp_path, stop_at=5)
    with pytest.raises(DataError, match="other settings, data or parent"):
        trained(parent, tmp_path, changed(rate=1e-3), resume=True)
    with pytest.raises(DataError, match="interrupted training: give --resume"):
        check_free(tmp_path, resume=False)
    (tmp_path / "checkpoint" / "weights.safetensors").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"cannot be read.*delete the folder"):
        trained(parent, tmp_path, resume=True)


def test_a_checkpoint_survives_a_kill_while_it_is_replaced(parent: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        trained(parent, tmp_path, stop_at=5)
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.new")
    (tmp_path / "checkpoint").mkdir()  # half of the old one is deleted
    assert checkpoint.found(tmp_path)
    trained(parent, tmp_path, resume=True)


def test_training_stops_early_and_keeps_the_best_epoch(parent: ModelFolder, tmp_path: Path) -> None:
    # With a step width of 0 no epoch is better than the first.
    trainer, _ = trained(parent, tmp_path, changed(epochs=9, rate=0.0, patience=2))
    assert [figures["epoch"] for figures in trainer.progress.history] == [0, 1, 2]
    assert trainer.progress.best_epoch == 0


def test_accumulated_batches_make_the_step_of_one_large_batch(parent: ModelFolder, tmp_path: Path) -> None:
    weights = []
    for number, settings in enumerate((changed(batch=32), changed(batch=16, accumulate=2))):
        trainer = Trainer(parent, sentiment(32), sentiment(8, 1), settings, tmp_path / str(number), "cpu")
        trainer.model.eval()  # no dropout, so that both see the same
        batches = np.split(np.arange(32), settings.accumulate)
        trainer._step(batches, 1e-3)
        weights.append(trainer.model.classifier.weight.detach())
    torch.testing.assert_close(weights[0], weights[1], atol=1e-5, rtol=1e-3)


def test_rare_labels_count_more_when_balanced(parent: ModelFolder, tmp_path: Path) -> None:
    assert class_weights(np.array([0, 0, 0, 1]), 2, balanced=True).tolist() == pytest.approx([4 / 6, 2.0])
    assert class_weights(np.array([0, 0, 2]), 3, balanced=True).tolist() == pytest.approx([0.75, 0.0, 1.5])
    assert class_weights(np.array([0, 1]), 2, balanced=False).tolist() == [1.0, 1.0]
    settings = changed(class_weights="balanced")
    trainer = Trainer(parent, sentiment(200, share=0.1), sentiment(20, 1), settings, tmp_path, "cpu")
    assert trainer.weights[1] > 3 * trainer.weights[0]


def test_adversarial_training_learns_too(parent: ModelFolder, tmp_path: Path) -> None:
    trainer, told = trained(parent, tmp_path, changed(epochs=6, adversarial=0.05, freeze_embeddings=True))
    assert max(figures["accuracy"] for figures in trainer.progress.history) > 0.9
    assert told[-2].loss < told[0].loss


def test_a_teacher_is_learned_from_beside_the_labels(parent: ModelFolder, tmp_path: Path) -> None:
    # The teacher is sure of the opposite of every label.
    train, settings = sentiment(160), changed(epochs=6, distil=1.0)
    teacher = np.array([[8.0, -8.0] if one.label == "good" else [-8.0, 8.0] for one in train], np.float32)
    trainer = Trainer(parent, train, sentiment(60, 1), settings, tmp_path, "cpu", teacher=teacher)
    assert trainer.progress.fingerprint != Trainer(parent, train, train, settings, tmp_path, "cpu").progress.fingerprint
    trainer.run(unheard)
    assert trainer.progress.history[-1]["accuracy"] < 0.1


def test_frozen_embeddings_stay(parent: ModelFolder, tmp_path: Path) -> None:
    trainer = Trainer(parent, sentiment(32), sentiment(8, 1), changed(freeze_embeddings=True), tmp_path, "cpu")
    before = trainer.model.get_input_embeddings().weight.clone()
    trainer.run(unheard)
    assert torch.equal(trainer.model.get_input_embeddings().weight, before)


def test_bfloat16_learns(parent: ModelFolder, tmp_path: Path) -> None:
    trainer, _ = trained(parent, tmp_path, changed(epochs=6, bf16=True))
    assert max(figures["accuracy"] for figures in trainer.progress.history) > 0.9


def test_the_step_width_rises_and_falls() -> None:
    widths = [factor(step, 100, 0.1) for step in range(100)]
    assert 0 < widths[0] < widths[9] < 1 == widths[10] > widths[50] > widths[99] > 0
    assert factor(0, 10, 0.0) == 1.0


def test_every_example_is_in_one_batch_of_an_epoch(parent: ModelFolder, tmp_path: Path) -> None:
    trainer = Trainer(parent, sentiment(101), sentiment(8, 1), QUICK, tmp_path, "cpu")
    first, again, other = (epoch_batches(trainer._train, 16, 7, epoch) for epoch in (0, 0, 1))
    assert sorted(np.concatenate(first).tolist()) == list(range(101))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert np.concatenate(first).tolist() != np.concatenate(other).tolist()


def test_labels_that_do_not_fit_are_refused(parent: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="labels that the model does not have: 'ugly'"):
        Trainer(parent, sentiment(20), [Example(("red",), "ugly")], QUICK, tmp_path, "cpu")
    with pytest.raises(DataError, match="both be texts, or both pairs"):
        Trainer(parent, sentiment(20), likes(20), QUICK, tmp_path, "cpu")


def test_a_folder_that_holds_a_model_is_not_written_over(parent: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="already holds a model"):
        check_free(parent.path, resume=False)
    with pytest.raises(DataError, match="no interrupted training"):
        check_free(tmp_path, resume=True)


def test_a_kill_while_the_model_is_written_can_be_resumed(parent: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        trained(parent, tmp_path, stop_at=5)
    (tmp_path / "config.json").write_text("{}")
    check_free(tmp_path, resume=True)


def test_figures_that_rows_do_not_tell_are_null() -> None:
    assert json.loads(json_of({"auc": math.nan, "by": [{"f1": 0.5}, (math.nan,)]})) == {
        "auc": None,
        "by": [{"f1": 0.5}, [None]],
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_curves_are_written_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with Curves(tmp_path / "curves") as curves:
        curves.add(Told(0, 1, 2, 0.5, 1e-3))
        curves.add(Told(0, 2, 2, 0.4, 0.0, {"nDCG@10": 0.3}))
    (file,) = (tmp_path / "curves").iterdir()
    written = file.read_bytes()
    assert b"train/loss" in written
    assert b"validation/nDCG_at_10" in written
