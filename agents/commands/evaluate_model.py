"""`profilestream evaluate-model`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def evaluate_model(
    folder: Annotated[Path, typer.Argument(help="A model that `profilestream train` made, or another classifier")],
    data: Annotated[str, typer.Argument(help="File of labelled texts or pairs, or a data set: its test part")],
    rows: Annotated[int, typer.Option(min=0, help="Measure so many, drawn; 0: all.")] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option()] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a model on labelled texts or pairs it has not learned from.

    Accuracy; precision, recall and F1 of each label; confusion matrix; calibration; with two labels AUC, and nDCG@10
    and MRR of each list where rows have a `list`. Also written as JSON, text and a page into FOLDER/evaluation.

    Example: profilestream evaluate-model my-scorer held-out.jsonl
    """
    from agents.training.datasets import first, load_parts
    from agents.training.measuring import measure_model, save_report, show_report
    from models.bert.training.written import json_of

    learned, test = load_parts(data)
    told = measure_model(folder, first(test or learned, rows), data, device)
    save_report(folder, told)
    if as_json:
        typer.echo(json_of(told))
    else:
        show_report(told)
