"""Public data sets in the folder `PROFILESTREAM_DATA` as labelled texts and pairs, with training and test parts."""

import ast
import csv
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from agents.errors import SetupError
from agents.settings import read_settings
from agents.training.outcomes import NAME as OUTCOMES
from agents.training.outcomes import read_outcomes
from agents.training.xlsx import read_sheet
from models.bert.training.examples import DataError, Example, held_out, read_examples
from models.pair_texts import profile_text

SEED = 7
TEST_SHARE = 0.2
TALLREC_NEWEST = 10
OFFICE_USERS, OFFICE_TEST_USERS = 2_000, 100
OFFICE_NEGATIVES, OFFICE_TEST_NEGATIVES = 3, 49
"""Other titles beside each title that was bought next, drawn from the catalogue."""
SAME_USER = 0.8
"""Two rows whose lists of titles share so much are of one user: the lists are windows that move by one title."""
Parts = tuple[list[Example], list[Example]]


def load_parts(data: str) -> Parts:
    """Examples to learn from and to test with, of a data set; of a file or the topic `outcomes`: all, and none.

    Raises SetupError that says what is missing or wrong.
    """
    try:
        if data == OUTCOMES:
            return read_outcomes(read_settings()), []
        if data not in LOADERS and (Path(data).suffix or Path(data).exists()):
            return read_examples(Path(data)), []
        if data not in LOADERS:
            raise SetupError(f"{data} is neither a file nor one of {OUTCOMES}, {', '.join(LOADERS)}")
        folder = os.environ.get("PROFILESTREAM_DATA")
        if not folder:
            raise SetupError(f"{data} is looked for in the folder PROFILESTREAM_DATA, which is not set")
        return LOADERS[data](Path(folder))
    except DataError as exc:
        raise SetupError(str(exc)) from exc
    except (OSError, KeyError, ValueError) as exc:
        raise SetupError(f"{data} cannot be read: {exc}") from exc


def _tallrec(*kinds: str) -> Callable[[Path], Parts]:
    def load(data: Path) -> Parts:
        parts: Parts = ([], [])
        for kind in kinds:
            for part, rows in zip(parts, _tallrec_parts(data / "tallrec", kind), strict=True):
                part.extend(rows)
        return parts

    return load


def _tallrec_parts(folder: Path, kind: str) -> Parts:
    """All rows of one kind; a fifth of the users is for the test.

    The files name no users and share some between `valid` and `test`, so users are found by their windows of titles.
    """
    rows, titles = [], []
    for part in ("valid", "test"):
        for row in json.loads((folder / f"{kind}.{part}.json").read_text(encoding="utf-8")):
            profile, target = row["input"].rsplit("\nWhether the user will like the target ", 1)
            item = target.partition(" ")[2].removesuffix("?").strip('"')
            likes, _, dislikes = profile.partition("Unpreference")
            sides = [re.findall(r'"([^"]+)"', side)[::-1] for side in (likes, dislikes)]
            text = profile_text(sides[0], sides[1], TALLREC_NEWEST)
            rows.append((text, item, "yes" if row["output"].startswith("Yes") else "no"))
            titles.append(frozenset(sides[0] + sides[1]))
    users = same_users(titles)
    examples = [
        Example((profile, item), label, f"{kind}-{user}")
        for (profile, item, label), user in zip(rows, users, strict=True)
    ]
    return held_out(examples, TEST_SHARE, SEED)


def same_users(titles: list[frozenset[str]]) -> list[int]:
    """A number for each row, equal where titles overlap by `SAME_USER` of the shorter list, also by way of others."""
    parents = list(range(len(titles)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    rows_with: dict[str, list[int]] = {}
    for number, one in enumerate(titles):
        shared: dict[int, int] = {}
        for title in one:
            for other in rows_with.get(title, ()):
                shared[other] = shared.get(other, 0) + 1
            rows_with.setdefault(title, []).append(number)
        for other, count in shared.items():
            if count >= SAME_USER * min(len(one), len(titles[other])):
                parents[root(number)] = root(other)
    return [root(number) for number in range(len(titles))]


def _amazon_office(data: Path) -> Parts:
    """What users bought next, and titles they did not; the test's users are others."""
    random, folder = np.random.default_rng(SEED), data / "amazon_office"
    items = json.loads((folder / "Office_Products.item.json").read_text(encoding="utf-8"))
    titles = sorted({item["title"].strip() for item in items.values() if item.get("title")})
    with (folder / "Office_Products.valid.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["user_id"]: row for row in csv.DictReader(file)}
    users = [list(rows)[number] for number in random.permutation(len(rows)).tolist()]
    test = users[:OFFICE_TEST_USERS]
    train = users[OFFICE_TEST_USERS : OFFICE_TEST_USERS + OFFICE_USERS]
    parts: Parts = ([], [])
    for part, chosen, negatives in ((parts[0], train, OFFICE_NEGATIVES), (parts[1], test, OFFICE_TEST_NEGATIVES)):
        for user in chosen:
            history, bought = ast.literal_eval(rows[user]["history_item_title"]), rows[user]["item_title"].strip()
            profile = profile_text(history[::-1])
            known = {bought, *map(str.strip, history)}
            others = [titles[number] for number in random.permutation(len(titles))[: negatives + len(known)].tolist()]
            shown = [title for title in others if title not in known][:negatives]
            part.append(Example((profile, bought), "yes", user))
            part += [Example((profile, title), "no", user) for title in shown]
    return parts


def _financial_phrasebank(data: Path) -> Parts:
    path = data / "financial_phrasebank" / "all-data.csv"
    with path.open(encoding="latin-1", newline="") as file:
        rows = list(csv.reader(file))[1:]
    # Some sentences are there twice; they must not be on both sides.
    examples = [Example((text,), label, text) for label, text in rows]
    return _without_lists(held_out(examples, TEST_SHARE, SEED))


def _chinese_fin_sentiment(data: Path) -> Parts:
    """Headlines: the seed file to learn from, without those of the test file, which are in it too."""
    folder = data / "chinese_fin_sentiment"
    with (folder / "test_data.csv").open(encoding="utf-8-sig", newline="") as file:
        test = [Example((row["标题"].strip(),), _sign(row["正负面"])) for row in csv.DictReader(file)]
    header, *rows = read_sheet(folder / "news_seed.xlsx")
    at = {name: number for number, name in enumerate(header)}
    headline, sign = at["标题"], at["正/负面"]
    known = {example.texts[0] for example in test}
    train = {row[headline].strip(): _sign(row[sign]) for row in rows if row[headline].strip() and row[sign].strip()}
    return [Example((text,), label) for text, label in train.items() if text not in known], test


def _sign(cell: str) -> str:
    return "positive" if float(cell) > 0 else "negative"


def _banking77(data: Path) -> Parts:
    parts = []
    for name in ("train", "test"):
        with (data / "banking77" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            parts.append([Example((row["text"],), row["category"]) for row in csv.DictReader(file)])
    return parts[0], parts[1]


def _without_lists(parts: Parts) -> Parts:
    train, test = ([Example(one.texts, one.label) for one in part] for part in parts)
    return train, test


LOADERS: dict[str, Callable[[Path], Parts]] = {
    "tallrec": _tallrec("movie", "book"),
    "tallrec-movie": _tallrec("movie"),
    "tallrec-book": _tallrec("book"),
    "amazon_office": _amazon_office,
    "financial_phrasebank": _financial_phrasebank,
    "chinese_fin_sentiment": _chinese_fin_sentiment,
    "banking77": _banking77,
}


def first(examples: Iterable[Example], most: int, seed: int = SEED) -> list[Example]:
    """At most so many, drawn by seed, in their order; 0: all."""
    rows = list(examples)
    if not most or len(rows) <= most:
        return rows
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])
    return [rows[number] for number in chosen.tolist()]
