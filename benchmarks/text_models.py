"""Trained models on the test parts of their data sets; models of pairs beside the bi-encoder on the same rows.

    python -m benchmarks.text_models FOLDER=DATASET … [--rows N] [--out FILE]

Models come from `profilestream train DATASET --out FOLDER`. The bi-encoder (MiniLM-L6, untrained, as the live scorer
uses it) scores a pair by the cosine of the item's title with the whole profile text (*text*), and with the mean vector
of the titles that the profile likes (*titles*). AUC over all rows, nDCG@10 and MRR over the lists, with the spread of
AUC over 1,000 draws of lists with replacement. Written to `results/text_models.json`.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.training.datasets import first, load_parts
from agents.training.measuring import FOLDER as REPORTS
from agents.training.measuring import measure_model, save_report
from benchmarks.harness import machine
from models.bert.cross_encoder import CrossEncoder
from models.bert.encoder import Encoder
from models.bert.folder import find_model, model_version
from models.bert.prior import Closeness
from models.bert.training.examples import Example, numbers_of
from models.bert.training.measures import auc, per_list
from models.bert.training.written import read_card

RESULTS = Path(__file__).parent / "results" / "text_models.json"
DRAWS, SEED = 1_000, 7
Floats = NDArray[np.float64]


def bi_encoder_scores(examples: list[Example]) -> dict[str, Floats]:
    """Cosines of items with profiles, by the text and by the titles."""
    encoder, pairs = Encoder(find_model("bundled"), "cpu"), [one.texts for one in examples]
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    vectors = dict(zip(texts, encoder.encode(texts).astype(np.float64), strict=True))
    return {
        "bi-encoder, text": np.array([float(vectors[a] @ vectors[b]) for a, b in pairs]),
        "bi-encoder, titles": Closeness(encoder).cosines(pairs).astype(np.float64),
    }


def auc_error(lists: list[str], positive: NDArray[np.bool_], score: Floats) -> float:
    """Standard error of the AUC when whole lists are drawn anew."""
    random = np.random.default_rng(SEED)
    members: dict[str, list[int]] = {}
    for number, name in enumerate(lists):
        members.setdefault(name, []).append(number)
    groups = [np.array(group) for group in members.values()]
    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([groups[place] for place in random.integers(0, len(groups), len(groups)).tolist()])
        drawn.append(auc(positive[rows], score[rows]))
    return float(np.nanstd(drawn))


def compared(folder: Path, examples: list[Example]) -> dict[str, Any]:
    """The model and the bi-encoder on the same pairs."""
    encoder = CrossEncoder(find_model(str(folder)), "cpu")
    positive = numbers_of(examples, encoder.labels) == 1
    lists = [example.of_list for example in examples]
    scores = {"cross-encoder": encoder.chances([one.texts for one in examples])[:, 1].astype(np.float64)}
    scores |= bi_encoder_scores(examples)
    return {
        name: {"auc": auc(positive, score), "auc_error": auc_error(lists, positive, score)}
        | per_list(lists, positive, score)
        for name, score in scores.items()
    }


def kept_report(folder: Path, data: str, rows: int) -> dict[str, Any] | None:
    """What `train` or `evaluate-model` measured of this very model on all of these rows, if they did."""
    path = folder / REPORTS / f"{data}.json"
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    same = told.get("model") == model_version(find_model(str(folder))) and told["examples"] == rows
    return told if same else None


def main() -> None:
    """Run, print, write; rows of other models in the file stay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="FOLDER=DATASET")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"models": {}}
    table = Table("data", "rows", "method", "accuracy", "macro F1", "AUC", "nDCG@10", "MRR")
    for word in arguments.models:
        place, _, data = word.partition("=")
        folder, examples = Path(place), first(load_parts(data)[1], arguments.rows)
        told = None if arguments.rows else kept_report(folder, data, len(examples))
        if told is None:
            told = measure_model(folder, examples, data)
            save_report(folder, told)
        entry = {"report": {name: value for name, value in told.items() if name != "calibration"}}
        entry["card"] = {name: value for name, value in read_card(folder).items() if name != "data_sha256"}
        table.add_row(data, f"{len(examples):,}", "model", f"{told['accuracy']:.3f}", f"{told['macro_f1']:.3f}")
        if len(examples[0].texts) == 2:
            entry["compared"] = compared(folder, examples)
            for method, row in entry["compared"].items():
                area = f"{row['auc']:.3f} ± {row['auc_error']:.3f}"
                ranks = (f"{row['nDCG@10']:.3f}", f"{row['MRR']:.3f}")
                table.add_row(data, f"{len(examples):,}", method, "", "", area, *ranks)
        if len(told["labels"]) > 20:
            for name in ("by_label", "confusion"):
                entry["report"].pop(name)
        found["models"][data] = entry
    Console().print(table)
    found["machine"] = {**machine(), "bert": {name: version(name) for name in ("torch", "transformers")}}
    arguments.out.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
