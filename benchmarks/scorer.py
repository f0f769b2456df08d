"""Pairs a second of the cross-encoder, beside sentence-transformers' CrossEncoder on the same pairs in the same run.

    python -m benchmarks.scorer [--model FOLDER] [--users 5] [--repeats 5] [--threads 1] [--out FILE]

Pairs are those of amazon_office (`PROFILESTREAM_DATA`): a user's newest five titles with each of 100 titles drawn from
the catalogue (seed 7). The model is MiniLM-L6 with a fresh head unless `--model` names one. Every row scores all pairs
once to warm up, then rows take turns, so that a busy moment of the machine hits all of them; medians and extremes of
the repeats. Ours keeps token ids: after the warm-up nothing is tokenised. The library tokenises both texts of each pair
in every pass. `cold` is a first pass of ours, with everything tokenised. On a machine with a GPU the same rows follow
for it. More threads than idle cores make all rows slow, for torch's threads wait for each other. Written to
`results/scorer.json`.
"""

import argparse
import ast
import csv
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.harness import machine
from models.bert.cross_encoder import CrossEncoder, choose_precision
from models.bert.encoder import choose_device
from models.bert.folder import ModelFolder, find_model
from models.bert.loading import load_tokenizer, with_fresh_head
from models.bert.tokens import Texts

SEED, CANDIDATES, NEWEST = 7, 100, 5
RESULTS = Path(__file__).parent / "results" / "scorer.json"
Floats = NDArray[np.float32]


def office_pairs(data: Path, users: int) -> list[Texts]:
    """Each user's newest titles, with titles drawn from the catalogue."""
    random = np.random.default_rng(SEED)
    folder = data / "amazon_office"
    items = json.loads((folder / "Office_Products.item.json").read_text(encoding="utf-8"))
    titles = [item["title"] for item in items.values() if item.get("title")]
    with (folder / "Office_Products.valid.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs: list[Texts] = []
    for at in random.choice(len(rows), users, replace=False).tolist():
        profile = "\n".join(ast.literal_eval(rows[at]["history_item_title"])[-NEWEST:])
        drawn = random.choice(len(titles), CANDIDATES, replace=False)
        pairs += [(profile, titles[number]) for number in drawn.tolist()]
    return pairs


@contextmanager
def model_folder(wanted: str) -> Iterator[ModelFolder]:
    """The model that is asked for; `bundled`: MiniLM-L6 with a head of two labels, in a folder that goes away."""
    if wanted != "bundled":
        yield find_model(wanted)
        return
    with tempfile.TemporaryDirectory() as place:
        bundled = find_model(wanted)
        with_fresh_head(bundled, ["no", "yes"]).save_pretrained(place)
        load_tokenizer(bundled).save_pretrained(place)
        yield find_model(place)


def peer(folder: ModelFolder, device: str, precision: str) -> Callable[[list[Texts]], Floats]:
    """sentence-transformers' CrossEncoder with its defaults (batches of 32), as chances."""
    from sentence_transformers import CrossEncoder as Peer

    model = Peer(
        str(folder.path),
        device=device,
        max_length=folder.max_tokens,
        model_kwargs={"dtype": getattr(torch, precision)},
    )
    several = model.config.num_labels > 1

    def score(pairs: list[Texts]) -> Floats:
        found: Floats = model.predict(pairs, apply_softmax=several, show_progress_bar=False).reshape(len(pairs), -1)
        return found.astype(np.float32)

    return score


def rows_of(folder: ModelFolder, device: str) -> dict[str, Callable[[list[Texts]], Floats]]:
    """What is compared on a device."""
    quick = choose_precision("auto", choose_device("cuda" if device == "cuda" else "cpu"))
    precisions = dict.fromkeys(("float32", quick))
    rows: dict[str, Callable[[list[Texts]], Floats]] = {}
    for precision in precisions:
        ours = CrossEncoder(folder, "cuda" if device == "cuda" else "cpu", precision=precision)
        rows[f"profilestream {precision}"] = ours.chances
    try:
        for precision in precisions:
            rows[f"CrossEncoder {precision}"] = peer(folder, device, precision)
    except ImportError as exc:
        print(f"{exc.name} is not installed (extra `bench`): nothing to compare with")
    return rows


def measure(folder: ModelFolder, pairs: list[Texts], device: str, repeats: int) -> dict[str, Any]:
    """Rates of all rows on one device, and how far their chances are from those of float32."""
    rows = rows_of(folder, device)
    began = time.perf_counter()
    cold = CrossEncoder(folder, "cuda" if device == "cuda" else "cpu")
    loaded = time.perf_counter()
    cold.chances(pairs)
    first_s = time.perf_counter() - loaded
    chances = {name: score(pairs) for name, score in rows.items()}
    cold_misses = cold.tokens.misses
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(repeats):
        for name, score in rows.items():
            began = time.perf_counter()
            score(pairs)
            times[name].append(time.perf_counter() - began)
    cold.chances(pairs)
    reference = chances.get("CrossEncoder float32", chances["profilestream float32"])
    return {
        "cold": round(len(pairs) / first_s, 1),
        "texts": cold_misses,
        "texts_tokenised_again": cold.tokens.misses - cold_misses,
        "rows": {
            name: {
                "pairs_per_s": round(len(pairs) / float(np.median(took)), 1),
                "slowest": round(len(pairs) / max(took), 1),
                "fastest": round(len(pairs) / min(took), 1),
                "largest_difference": float(np.abs(chances[name] - reference).max()),
            }
            for name, took in times.items()
        },
    }


def ratio(found: dict[str, Any]) -> float | None:
    """Ours in its default precision over the library's default, float32."""
    rows = found["rows"]
    if "CrossEncoder float32" not in rows:
        return None
    ours = next(reversed([name for name in rows if name.startswith("profilestream")]))
    return round(rows[ours]["pairs_per_s"] / rows["CrossEncoder float32"]["pairs_per_s"], 2)


def show(told: dict[str, Any]) -> None:
    """A table for each device and number of threads."""
    console = Console()
    for name, found in told["devices"].items():
        table = Table(
            "", "pairs/s", "slowest – fastest", "largest difference", title=f"{name}: {told['pairs']:,} pairs"
        )
        for row, figures in found["rows"].items():
            spread = f"{figures['slowest']:,} – {figures['fastest']:,}"
            table.add_row(row, f"{figures['pairs_per_s']:,}", spread, f"{figures['largest_difference']:.1e}")
        console.print(table)
        console.print(
            f"{found['texts']:,} texts tokenised once, {found['texts_tokenised_again']} again; first pass "
            f"{found['cold']:,} pairs/s; profilestream ÷ CrossEncoder {found['ratio'] or '–'}"
        )


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--users", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    pairs = office_pairs(Path(os.environ["PROFILESTREAM_DATA"]), arguments.users)
    devices: dict[str, Any] = {}
    with model_folder(arguments.model) as folder:
        name = arguments.model if arguments.model == "bundled" else folder.name
        encoder = CrossEncoder(folder, "cpu")
        ids = encoder.tokens.ids(text for texts in pairs for text in texts)
        lengths = [min(folder.max_tokens, 3 + sum(len(ids[text]) for text in texts)) for texts in pairs]
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            devices[f"cpu, {threads} threads"] = measure(folder, pairs, "cpu", arguments.repeats)
        if torch.cuda.is_available():
            devices[torch.cuda.get_device_name()] = measure(folder, pairs, "cuda", arguments.repeats)
        else:
            print("no CUDA device: no GPU rows")
    for found in devices.values():
        found["ratio"] = ratio(found)
    versions = {package: version(package) for package in ("torch", "transformers", "sentence-transformers")}
    told = {
        "model": name,
        "pairs": len(pairs),
        "tokens_a_pair": {"mean": round(float(np.mean(lengths)), 1), "longest": max(lengths)},
        "repeats": arguments.repeats,
        "devices": devices,
        "machine": {**machine(), "load": os.getloadavg(), "bert": versions},
    }
    show(told)
    arguments.out.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
