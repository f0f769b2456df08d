"""Figures of a report, as they are printed."""

import math
from typing import Any

from agents.evaluation.report import OURS, Method, Report
from models.accuracy import Estimate

CUTS = (10, 20)


def figures(name: str, report: Report, k: int) -> dict[str, Any]:
    """All there is to tell, ready for JSON; estimates as [value, standard error]."""
    return {
        "data": name,
        "trained": report.trained,
        "tested": report.tested,
        "compared": len(report.lists.ranks),
        "methods": {method: _accuracy(found, k) for method, found in report.methods.items()},
        "items": report.items,
        **spread(report.methods[OURS], report.items),
        "spread": {method: spread(found, report.items) for method, found in report.methods.items()},
        "peer_seconds": report.peer_seconds,
        "rejected": dict(report.rejected),
    }


def cuts_of(k: int) -> list[int]:
    """Lengths of lists at which is counted."""
    return [*(cut for cut in CUTS if cut < k), k]


def _accuracy(method: Method, k: int) -> dict[str, list[float | None]]:
    accuracy = method.accuracy
    return {
        **{f"HR@{cut}": pair(accuracy.hit_rate(cut)) for cut in cuts_of(k)},
        f"MRR@{k}": pair(accuracy.reciprocal_rank(k)),
        f"nDCG@{k}": pair(accuracy.ndcg(k)),
    }


def spread(method: Method, items: int) -> dict[str, float]:
    """How the lists of a method spread over the items."""
    exposure = method.exposure
    return {
        "coverage": round(exposure.coverage(items), 4),
        "novelty_bits": round(exposure.novelty(), 3),
        "gini": round(exposure.gini(items), 4),
    }


def pair(estimate: Estimate) -> list[float | None]:
    """Value and standard error; null for what is not known."""
    return [None if math.isnan(number) else round(number, 5) for number in (estimate.value, estimate.error)]
