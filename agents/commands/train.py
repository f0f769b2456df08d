"""`profilestream train`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from models.bert.training.trainer import Told, Trainer


def train(
    data: Annotated[str, typer.Argument(help="File of labelled texts or pairs (.jsonl, .csv, .tsv), or a data set")],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    model: Annotated[str, typer.Option(help="Parent: folder, Hugging Face id, or bundled (MiniLM-L6).")] = "bundled",
    validation: Annotated[str, typer.Option(help="File to validate with; empty: held out of DATA.")] = "",
    held_out: Annotated[float, typer.Option(min=0.01, max=0.5, help="Share that is held out, lists whole.")] = 0.1,
    rows: Annotated[int, typer.Option(min=0, help="Learn from so many, drawn; 0: all.")] = 0,
    epochs: Annotated[int, typer.Option(min=1)] = 4,
    batch: Annotated[int, typer.Option(min=1)] = 32,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches whose gradients make one step.")] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Largest step width.")] = 5e-5,
    max_tokens: Annotated[int, typer.Option(min=8, max=512)] = 128,
    patience: Annotated[int, typer.Option(min=0, help="Epochs without a better validation; 0: no early stop.")] = 2,
    class_weights: Annotated[Literal["none", "balanced"], typer.Option(help="balanced: rare labels count more.")] = (
        "none"
    ),
    bf16: Annotated[bool, typer.Option(help="Multiply in bfloat16.")] = False,
    adversarial: Annotated[float, typer.Option(min=0, help="FGM: push on the embeddings, such as 1; 0: none.")] = 0.0,
    teacher: Annotated[str, typer.Option(help="A larger model with the same labels, to learn from as well.")] = "",
    freeze_embeddings: Annotated[bool, typer.Option(help="Do not train word embeddings.")] = False,
    prior: Annotated[
        bool, typer.Option(help="Pairs: begin with how near titles are by the parent, and learn what that leaves.")
    ] = True,
    prior_epochs: Annotated[
        int, typer.Option(min=0, help="How often that parent first learns which titles are taken together; 0: not.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    threads: Annotated[int, typer.Option(min=0, help="Processor threads; 0: as many as torch likes.")] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option()] = "auto",
    resume: Annotated[bool, typer.Option(help="Go on with the interrupted training in the folder.")] = False,
    save_data: Annotated[
        Path | None, typer.Option(help="Write what is learned from into this .jsonl file too.")
    ] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for TensorBoard's curves.")] = None,
) -> None:
    """Teach a language model to tell labels of texts, or of pairs such as (profile, item).

    A file has `text` and `label`, or `text_a`, `text_b`, `label` and optionally `list`, whose rows stay together.
    The folder then holds safetensors, tokenizer, configuration and `model.json`, its card. With the same seed, data and
    settings a machine makes the same weights, also when the training was interrupted and goes on with --resume.

    `outcomes` stands for what users took of their lists, as the topics tell (BOOTSTRAP_SERVERS and the other settings).
    Data sets in the folder PROFILESTREAM_DATA: tallrec (also -movie, -book), amazon_office, financial_phrasebank,
    chinese_fin_sentiment, banking77. Their test parts are measured at the end.

    Example: profilestream train pairs.jsonl --out my-scorer --class-weights balanced
    """
    from agents.errors import SetupError

    try:
        from models.bert.cross_encoder import CrossEncoder
        from models.bert.folder import find_model, model_version
        from models.bert.probe import write_probe
        from models.bert.training.prior import fit_prior
        from models.bert.training.settings import TrainSettings
        from models.bert.training.trainer import Trainer
    except ImportError as exc:
        raise SetupError(f"{exc.name} is not installed: pip install 'profilestream[scorer]'") from exc
    from agents.training.datasets import first, load_parts
    from models.bert.training import examples as reading
    from models.bert.training import written

    settings = TrainSettings(
        epochs=epochs,
        batch=batch,
        accumulate=accumulate,
        rate=rate,
        max_tokens=max_tokens,
        seed=seed,
        patience=patience,
        class_weights=class_weights,
        bf16=bf16,
        adversarial=adversarial,
        freeze_embeddings=freeze_embeddings,
        prior_epochs=prior_epochs if prior else 0,
    )
    learned, test = load_parts(data)
    learned = first(learned, rows)
    if save_data is not None:
        reading.write_examples(save_data, learned)
    if validation == data:
        raise SetupError(f"--validation {validation}: the same rows as learned from; leave it out to hold some back")
    checked = load_parts(validation)[0] if validation else []
    try:
        written.check_free(out, resume)
        if not checked:
            learned, checked = reading.held_out(learned, held_out, seed)
        parent = find_model(model)
        soft = None
        if teacher:
            larger = CrossEncoder(find_model(teacher), device, threads)
            if larger.labels != reading.labels_of(learned):
                raise SetupError(f"--teacher {teacher} has other labels: {', '.join(larger.labels[:20])}")
            soft = larger.logits([example.texts for example in learned])
        first_stage = None
        if prior and len(learned[0].texts) == 2:
            with _shown("prior") as tell_prior:
                first_stage = fit_prior(parent, learned, checked, settings, out, device, threads, tell_prior)
        known = None if first_stage is None else (first_stage.logits(learned), first_stage.logits(checked))
        trainer = Trainer(parent, learned, checked, settings, out, device, threads, soft, known)
        _run(trainer, resume, tensorboard)
        card: dict[str, Any] = {
            "task": "pairs" if len(learned[0].texts) == 2 else "texts",
            "labels": trainer.labels,
            "parent": {"name": parent.name, "version": model_version(parent)},
            "data": {"name": data, "train": len(learned), "validation": len(checked), "test": len(test)},
            "teacher": teacher and larger.version,
            "prior": first_stage and {**vars(first_stage.line), "tuned": first_stage.tuned},
            "data_sha256": reading.fingerprint(learned),
            "settings": vars(settings),
            "validation": trainer.progress.history[trainer.progress.best_epoch],
            "history": trainer.progress.history,
            "steps": trainer.progress.step,
            "date": datetime.now(UTC).date().isoformat(),
            "versions": {name: version(name) for name in ("torch", "transformers")},
        }
        written.write_model(trainer, out, card)
        if first_stage is not None:
            first_stage.write(out)
        write_probe(CrossEncoder(find_model(str(out)), device, threads), out, [one.texts for one in checked])
    except ValueError as exc:  # DataError, ModelError
        raise SetupError(str(exc)) from exc
    typer.echo(f"{out}: {_figures(card['validation'])} on {len(checked):,} held-out rows")
    if test:
        from agents.training.measuring import measure_model, save_report, show_report

        told = measure_model(out, first(test, 0), data, device)
        save_report(out, told)
        show_report(told)


def _figures(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in figures.items() if name not in ("epoch", "train_loss"))


@contextmanager
def _shown(title: str) -> Iterator[Callable[..., None]]:
    """A progress bar with the loss."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[loss]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, loss="")

        def tell(step: int, steps: int, loss: float, title: str = title) -> None:
            bar.update(task, total=steps, completed=step, description=title, loss=f"{step}/{steps} loss {loss:.3f}")

        yield tell


def _run(trainer: "Trainer", resume: bool, tensorboard: Path | None) -> None:
    """Train with a progress bar, and curves where they are wanted."""
    from rich.console import Console

    from models.bert.training.curves import Curves

    console = Console(stderr=True)
    with _shown("epoch 1") as show, Curves(tensorboard) as curves:

        def tell(told: "Told") -> None:
            curves.add(told)
            if told.figures is not None:
                console.print(f"epoch {told.epoch + 1}: training loss {told.loss:.3f}, {_figures(told.figures)}")
            show(told.step, told.steps, told.loss, f"epoch {told.epoch + 1}")

        trainer.run(tell, resume)
