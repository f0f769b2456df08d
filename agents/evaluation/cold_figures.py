"""Figures of `cold_items` and of new users, as they are printed."""

from typing import Any

import numpy as np

from agents.evaluation.cold_items import FRESH, ColdReport
from agents.evaluation.figures import cuts_of, pair
from models.accuracy import NOT_IN_LIST, clustered_mean


def cold_figures(name: str, report: ColdReport, k: int, share: float, seeds: int) -> dict[str, Any]:
    """Hit rates on withheld items and on the others, and how many times that of `FRESH` each is."""
    cold = np.array(report.cold, np.bool_)
    rates = {part: _rates(report, which, k) for part, which in (("cold", cold), ("known", ~cold))}
    cut = f"HR@{cuts_of(k)[0]}"
    base = rates["cold"][FRESH][cut][0]
    return {
        "data": name,
        "withheld_share": share,
        "withheld": report.withheld,
        "seeds": seeds,
        "trained": report.trained,
        "new_items": round(float(np.mean(report.new)), 1),
        "events": {"cold": int(cold.sum()), "known": int((~cold).sum())},
        **rates,
        f"{cut}_to_fresh": {
            method: round(found[cut][0] / base, 2) for method, found in rates["cold"].items() if method != FRESH
        },
    }


def _rates(report: ColdReport, which: np.ndarray[Any, np.dtype[np.bool_]], k: int) -> dict[str, Any]:
    """Method → HR at each cut. What a random order hits is not drawn, but reckoned: cut / new items."""
    places = np.flatnonzero(which)
    users = [report.users[place] for place in places.tolist()]
    new = np.array(report.new, np.float64)[places].clip(1.0)
    cold = np.array(report.cold, np.bool_)[places]
    rates: dict[str, Any] = {}
    for method, ranks in report.ranks.items():
        at = np.array(ranks, np.int64)[places]
        rates[method] = {
            f"HR@{cut}": pair(clustered_mean(users, ((at != NOT_IN_LIST) & (at < cut)).astype(np.float64)))
            for cut in cuts_of(k)
        }
    rates[FRESH] = {
        f"HR@{cut}": pair(clustered_mean(users, np.where(cold, np.minimum(cut / new, 1.0), 0.0))) for cut in cuts_of(k)
    }
    return rates
