"""Figures of a report, as they are printed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from agents.evaluation.held_out import Found
from agents.evaluation.report import OURS, Method, Report
from agents.records import ModelVersion
from models.accuracy import Estimate, mean_of
from models.first_lead import events_needed, gains, median
from models.held_out import MEASURES
from models.moments import Mask, Moments

CUTS = (10, 20)
EASE = "ease"
LEAST_EVENTS = 30
"""With fewer events no error is known well enough for that."""
CURVE_POINTS = 51
"""Of an exposure curve: every 2 % of the items."""
ENOUGH = (1, 2, 5, 20)
"""Events of a new user after which it is told how many users' lists are ahead."""
SURE = 1.96
"""Standard errors by which lists must be ahead to be so for sure: 95 % of draws."""


def figures(name: str, report: Report, k: int) -> dict[str, Any]:
    """All there is to tell, ready for JSON; estimates as [value, standard error]."""
    return {
        "data": name,
        "trained": report.trained,
        "tested": report.tested,
        "compared": len(report.lists.ranks),
        "methods": {method: _accuracy(found, report.moments, k) for method, found in report.methods.items()},
        "items": report.items,
        **spread(report.methods[OURS], report.items),
        "spread": {method: spread(found, report.items) for method, found in report.methods.items()},
        "peer_seconds": report.peer_seconds,
        "exposure_curves": {
            method: [round(share, 4) for share in found.exposure.curve(report.items, CURVE_POINTS)]
            for method, found in report.methods.items()
        },
        "cold_users": _among(report, report.moments.cold_users(), k),
        "cold_items": _among(report, report.moments.cold_items(), k),
        "first_items": _first_items(report, k),
        "rejected": dict(report.rejected),
        **({"ranker": _ranker(report.ranker)} if report.ranker is not None else {}),
    }


def _ranker(ranker: ModelVersion) -> dict[str, Any]:
    """What was learned from feedback; `gain` as [value, standard error]."""
    return {
        "choices": int(ranker.version),
        "active": ranker.active,
        "gain": [round(ranker.gain, 5), None if ranker.gain_error is None else round(ranker.gain_error, 5)],
        "weights": {name: round(weight, 4) for name, weight in ranker.weights.items()},
    }


def cuts_of(k: int) -> list[int]:
    """Lengths of lists at which is counted."""
    return [*(cut for cut in CUTS if cut < k), k]


def _accuracy(method: Method, moments: Moments, k: int) -> dict[str, list[float | None]]:
    accuracy = method.accuracy
    return {
        **{f"HR@{cut}": pair(accuracy.hit_rate(cut)) for cut in cuts_of(k)},
        f"MRR@{k}": pair(accuracy.reciprocal_rank(k)),
        f"nDCG@{k}": pair(accuracy.ndcg(k)),
        **{f"Recall@{cut}": pair(accuracy.recall(cut, moments.lists)) for cut in cuts_of(k)},
    }


def _among(report: Report, masks: Mapping[str, Mask], k: int) -> dict[str, Any]:
    """Hit rates among some events; what has none is left out."""
    cut = cuts_of(k)[0]
    return {
        name: {
            "events": int(which.sum()),
            f"HR@{cut}": {
                method: pair(found.accuracy.among(which).hit_rate(cut)) for method, found in report.methods.items()
            },
        }
        for name, which in masks.items()
        if which.any()
    }


def _first_items(report: Report, k: int) -> dict[str, Any]:
    """By how much the hit rate is above popularity's, by the items a user has, and from how many it is for sure.

    `new_users`: how many events they need until their lists beat popularity, see `models.first_lead`.
    """
    cut, known = cuts_of(k)[0], report.moments.lengths()
    leads = {
        length: report.lists.among(which).lead(report.popular.among(which), cut) for length, which in known.items()
    }
    sure = (
        length
        for length, lead in leads.items()
        if known[length].sum() >= LEAST_EVENTS and lead.value > SURE * lead.error
    )
    return {
        "lead": {str(length): pair(lead) for length, lead in leads.items()},
        "ahead_at": next(sure, None),
        "new_users": _new_users(report, k),
    }


def _new_users(report: Report, k: int) -> dict[str, Any]:
    """Median events needed (null: for half of them never), and the share of users for whom 1, 2, 5, 20 are enough."""
    ours, popular = (gains(method.ranks, k) for method in (report.lists, report.popular))
    needed = events_needed(report.lists.users, report.moments.histories, ours, popular)
    middle = median(needed)
    return {
        "users": len(needed),
        "median_events": middle if math.isfinite(middle) else None,
        "ahead_within": {
            str(count): round(sum(one <= count for one in needed) / len(needed), 4) for count in ENOUGH if needed
        },
    }


def spread(method: Method, items: int) -> dict[str, Any]:
    """How the lists of a method spread over the items."""
    exposure = method.exposure
    return {
        "coverage": round(exposure.coverage(items), 4),
        "novelty_bits": round(exposure.novelty(), 3),
        "gini": round(exposure.gini(items), 4),
        **{
            name: pair(estimate)
            for name, estimate in (
                ("diversity", method.contents.diversity()),
                ("miscalibration", method.contents.miscalibration()),
            )
            if not math.isnan(estimate.value)
        },
    }


def pair(estimate: Estimate) -> list[float | None]:
    """Value and standard error; null for what is not known."""
    return [None if math.isnan(number) else round(number, 5) for number in (estimate.value, estimate.error)]


def split_figures(runs: Sequence[Mapping[str, Found]], k: int, items: int) -> dict[str, Any]:
    """Figures of random splits: of each run, their means with standard errors over runs, and ratios to EASE."""
    measured = [{name: _held_out(found, k, items) for name, found in run.items()} for run in runs]
    ratios = [run[OURS][f"nDCG@{k}"] / run[EASE][f"nDCG@{k}"] for run in measured if run.get(EASE, {}).get(f"nDCG@{k}")]
    return {
        "users": [run[OURS].accuracy.users for run in runs],
        "runs": measured,
        "methods": {
            name: {figure: pair(mean_of([run[name][figure] for run in measured])) for figure in of_method}
            for name, of_method in measured[0].items()
        },
        f"nDCG@{k}_to_ease": {"runs": [round(ratio, 4) for ratio in ratios], "mean": pair(mean_of(ratios))},
    }


def _held_out(found: Found, k: int, items: int) -> dict[str, float]:
    return {
        **{f"{measure}@{k}": round(found.accuracy.mean(measure).value, 5) for measure in MEASURES},
        "coverage": round(found.exposure.coverage(items), 4),
        "novelty_bits": round(found.exposure.novelty(), 3),
    }


def rating_figures(runs: Sequence[Mapping[str, tuple[float, float]]]) -> dict[str, Any]:
    """RMSE and MAE of each split, and their means with standard errors over splits."""
    return {
        "runs": [{name: [round(rmse, 5), round(mae, 5)] for name, (rmse, mae) in run.items()} for run in runs],
        "methods": {
            name: {
                measure: pair(mean_of([run[name][place] for run in runs]))
                for place, measure in enumerate(("RMSE", "MAE"))
            }
            for name in runs[0]
        },
    }
