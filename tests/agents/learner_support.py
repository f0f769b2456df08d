"""Outcomes whose right lesson is known, for tests of the learner and of the scorer behind it."""

from collections.abc import Sequence

import numpy as np

from agents.records import Choice, Outcome, encode_json

WANTED = "popular"
"""Users choose by this source, whatever the lists say."""
K = 6


def outcomes(count: int, seed: int = 1, first: int = 0) -> list[Outcome]:
    """Clicks in lists that are sorted by `item_cf`, on what is most popular; now and then something else happens."""
    random, made = np.random.default_rng(seed), []
    for number in range(first, first + count):
        item_cf = np.sort(random.random(K).round(5))[::-1]
        popular = random.random(K).round(5)
        chosen = int(np.argmax(6 * popular + random.gumbel(size=K)))
        length = float(random.choice([1, 7, 30, 200]))
        features = {"item_cf": item_cf.tolist(), WANTED: popular.tolist(), "history_length": [length] * K}
        choice = Choice(list(range(K)), features)
        user = f"u{number % 50}"
        made.append(Outcome(user, f"list-{number}", "clicked", 1.0, f"i{chosen}", chosen, "click", choice=choice))
        if number % 5 == 0:
            made.append(Outcome(user, f"list-{number}", "skipped", 2.0, "i0", 0))
    return made


def keyed(made: Sequence[Outcome]) -> list[tuple[bytes | None, bytes | None]]:
    """As records of the topic."""
    return [(outcome.user_id.encode(), encode_json(outcome)) for outcome in made]
