"""What a classifier is measured by; numpy alone. Formulas are scikit-learn's where it has them, and tests compare."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
CUT = 10
"""Of nDCG@10."""
BINS = 10
"""Of the calibration."""


def confusion(truth: Numbers, guess: Numbers, labels: int) -> Numbers:
    """Counts [truth, guess]."""
    counts: Numbers = np.bincount(truth * labels + guess, minlength=labels * labels).reshape(labels, labels)
    return counts


def by_label(counts: Numbers) -> dict[str, Floats]:
    """Precision, recall and F1 of each label, 0 where undefined, and its support, from confusion counts."""
    hits, guessed, true = np.diag(counts).astype(float), counts.sum(axis=0), counts.sum(axis=1)
    precision, recall = hits / np.maximum(guessed, 1), hits / np.maximum(true, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {"precision": precision, "recall": recall, "f1": f1, "support": true.astype(float)}


def auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half; NaN without both."""
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return float("nan")
    _, place, ties = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def calibration(truth: Numbers, chances: Floats, bins: int = BINS) -> tuple[float, list[dict[str, float]]]:
    """Expected calibration error (Guo et al. 2017) of the likeliest label, and the bins that it sums over.

    Each bin: mean `confidence`, share that was right (`accuracy`), `count`.
    """
    confidence = chances.max(axis=1)
    right = chances.argmax(axis=1) == truth
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    told, error = [], 0.0
    for number in range(bins):
        members = which == number
        count = int(members.sum())
        if count:
            mean, share = float(confidence[members].mean()), float(right[members].mean())
            error += count / len(truth) * abs(share - mean)
            told.append({"confidence": mean, "accuracy": share, "count": count})
    return error, told


def per_list(lists: Sequence[str], relevant: NDArray[np.bool_], score: Floats, k: int = CUT) -> dict[str, float]:
    """nDCG@k and MRR, means over the lists that have both relevant items and others; NaN if there is none.

    nDCG: Järvelin and Kekäläinen (2002) with gains 0 and 1. Ties are ordered as the worst case, others first.
    """
    members: dict[str, list[int]] = {}
    for number, name in enumerate(lists):
        if name:
            members.setdefault(name, []).append(number)
    ndcg, reciprocal = [], []
    for numbers in members.values():
        gains, scores = relevant[numbers], score[numbers]
        if gains.all() or not gains.any():
            continue
        ranked = gains[np.lexsort((gains, -scores))]
        discount = 1 / np.log2(np.arange(2, len(ranked) + 2))
        ideal = discount[: min(int(gains.sum()), k)].sum()
        ndcg.append(float((ranked[:k] * discount[:k]).sum() / ideal))
        reciprocal.append(1 / (int(ranked.argmax()) + 1))
    mean = float(np.mean(ndcg)) if ndcg else float("nan")
    return {f"nDCG@{k}": mean, "MRR": float(np.mean(reciprocal)) if ndcg else float("nan"), "lists": len(ndcg)}


def measured(
    truth: Numbers, chances: NDArray[Any], labels: Sequence[str], lists: Sequence[str] | None = None
) -> dict[str, Any]:
    """All figures of chances [examples, labels] against the true labels.

    With two labels the second is the positive one, for `auc`; with `lists` too, for nDCG and MRR of each list.
    """
    chances = chances.astype(np.float64)
    counts = confusion(truth, chances.argmax(axis=1), len(labels))
    each = by_label(counts)
    error, bins = calibration(truth, chances)
    loss = -np.log(np.maximum(chances[np.arange(len(truth)), truth], 1e-12)).mean()
    told: dict[str, Any] = {
        "examples": len(truth),
        "accuracy": float(np.diag(counts).sum() / len(truth)),
        "macro_f1": float(each["f1"].mean()),
        "weighted_f1": float((each["f1"] * each["support"]).sum() / len(truth)),
        "loss": float(loss),
        "ece": error,
    }
    if len(labels) == 2:
        told["auc"] = auc(truth == 1, chances[:, 1])
        if lists is not None and any(lists):
            told |= per_list(lists, truth == 1, chances[:, 1])
    told["by_label"] = {
        label: {name: float(values[number]) for name, values in each.items()} for number, label in enumerate(labels)
    }
    told["confusion"] = counts.tolist()
    told["calibration"] = bins
    return told
