"""Figures against scikit-learn and against cases whose answer is known."""

import math

import numpy as np
import pytest

from models.bert.training.measures import auc, by_label, calibration, confusion, measured, per_list

metrics = pytest.importorskip("sklearn.metrics")
RANDOM = np.random.default_rng(3)
TRUTH = RANDOM.integers(0, 4, 300)
CHANCES = RANDOM.dirichlet([1.0] * 4, 300)
LABELS = ["a", "b", "c", "d"]


def test_confusion_precision_recall_and_f1_are_those_of_scikit_learn() -> None:
    guess = CHANCES.argmax(axis=1)
    counts = confusion(TRUTH, guess, 4)
    assert counts.tolist() == metrics.confusion_matrix(TRUTH, guess).tolist()
    expected = metrics.precision_recall_fscore_support(TRUTH, guess)
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose(by_label(counts)[name], values)
    told = measured(TRUTH, CHANCES, LABELS)
    assert told["accuracy"] == pytest.approx(metrics.accuracy_score(TRUTH, guess))
    assert told["macro_f1"] == pytest.approx(metrics.f1_score(TRUTH, guess, average="macro"))
    assert told["weighted_f1"] == pytest.approx(metrics.f1_score(TRUTH, guess, average="weighted"))
    assert told["loss"] == pytest.approx(metrics.log_loss(TRUTH, CHANCES))


def test_a_label_that_is_never_seen_or_said_counts_as_nothing() -> None:
    each = by_label(confusion(np.array([0, 0]), np.array([0, 1]), 3))
    assert each["f1"].tolist() == pytest.approx([2 / 3, 0, 0])


def test_auc_is_that_of_scikit_learn_with_ties() -> None:
    score = RANDOM.integers(0, 9, 300).astype(float)
    assert auc(TRUTH == 1, score) == pytest.approx(metrics.roc_auc_score(TRUTH == 1, score))
    assert math.isnan(auc(np.array([True, True]), np.array([1.0, 2.0])))


def test_ndcg_of_lists_is_that_of_scikit_learn() -> None:
    relevant, score = RANDOM.random(90) < 0.2, RANDOM.random(90)
    lists = [f"list {number % 3}" for number in range(90)]
    expected = [
        metrics.ndcg_score(relevant[number::3].astype(float)[None], score[number::3][None], k=10) for number in range(3)
    ]
    told = per_list(lists, relevant, score)
    assert told["nDCG@10"] == pytest.approx(np.mean(expected))
    assert told["lists"] == 3


def test_ties_in_a_list_do_not_flatter() -> None:
    told = per_list(["l"] * 4, np.array([True, False, False, False]), np.zeros(4))
    assert told == {"nDCG@10": pytest.approx(1 / math.log2(5)), "MRR": pytest.approx(0.25), "lists": 1}


def test_lists_of_one_kind_say_nothing() -> None:
    assert per_list(["a", "a", "", "b"], np.array([True, True, False, False]), np.arange(4.0))["lists"] == 0


def test_calibration_error_is_the_gap_of_confidence_and_truth() -> None:
    chances = np.array([[0.75, 0.25]] * 4)
    error, bins = calibration(np.array([0, 0, 0, 1]), chances)
    assert error == pytest.approx(0.0)
    assert calibration(np.array([1, 1, 1, 1]), chances)[0] == pytest.approx(0.75)
    assert bins == [{"confidence": 0.75, "accuracy": 0.75, "count": 4}]


def test_two_labels_have_auc_and_lists() -> None:
    truth = np.array([0, 1, 0, 1])
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    told = measured(truth, chances, ["no", "yes"], ["u", "u", "v", "v"])
    assert (told["auc"], told["MRR"], told["lists"]) == (0.75, 0.75, 2)
    assert told["by_label"]["yes"]["recall"] == 0.5
