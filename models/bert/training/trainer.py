"""Fine-tuning of a classifier: AdamW with warm-up, accumulation, clipping, early stopping, checkpoints.

The same seed, data and settings give the same weights on one machine, also when interrupted and resumed.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, kl_div

from models.bert.encoder import Device, choose_device
from models.bert.folder import ModelFolder, model_version
from models.bert.loading import load_tokenizer, with_fresh_head
from models.bert.tokens import read_joiner
from models.bert.training import checkpoint
from models.bert.training.batches import Encoded, class_weights, collate, encode, epoch_batches
from models.bert.training.checkpoint import Progress
from models.bert.training.examples import DataError, Example, fingerprint, labels_of, numbers_of
from models.bert.training.measures import measured
from models.bert.training.settings import TrainSettings
from models.bert.training.steps import adamw, factor

SMOOTH = 0.98
"""Of the running loss: the mean of about the last 50 steps."""
KEPT_FIGURES = ("accuracy", "macro_f1", "loss", "auc", "nDCG@10")


@dataclass(frozen=True)
class Told:
    """What is reported after each step, and with `figures` after each epoch."""

    epoch: int
    step: int
    steps: int
    loss: float
    rate: float
    figures: dict[str, float] | None = None


@dataclass(frozen=True)
class _Known:
    """What is known of a batch."""

    truth: torch.Tensor
    soft: torch.Tensor | None
    """The teacher's logits."""
    prior: torch.Tensor | None


class Trainer:
    """One training. The folder holds its checkpoint while it runs."""

    def __init__(
        self,
        parent: ModelFolder,
        train: Sequence[Example],
        validation: Sequence[Example],
        settings: TrainSettings,
        folder: Path,
        device: Device = "auto",
        threads: int = 0,
        teacher: NDArray[np.float32] | None = None,
        priors: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    ) -> None:
        """Load the parent and tokenise. Raises DataError for labels that do not do, and ModelError.

        `threads` of the processor hold for all of torch in this process; 0: as many as torch likes. `teacher`: logits
        [train, labels] of a larger model with the same labels in the same order, to learn from beside the labels.
        `priors`: what is known of the logit of the last label, [train] and [validation]; the model learns the rest.
        """
        if threads:
            torch.set_num_threads(threads)
        if {len(example.texts) for example in train} != {len(example.texts) for example in validation}:
            raise DataError("examples to learn from and to validate with must both be texts, or both pairs")
        self.settings, self._folder, self.device = settings, folder, choose_device(device)
        self.labels = labels_of(train)
        truth = numbers_of(train, self.labels)
        self._truth = numbers_of(validation, self.labels)
        self._lists = [example.of_list for example in validation]
        self.tokenizer = load_tokenizer(parent)
        self.model = with_fresh_head(parent, self.labels, silent=priors is not None).to(self.device)
        if settings.freeze_embeddings:
            self.model.get_input_embeddings().weight.requires_grad_(False)
        joiner = read_joiner(self.tokenizer)
        most = min(settings.max_tokens, int(getattr(self.model.config, "max_position_embeddings", 512)))
        self._train = encode(train, truth, self.tokenizer, joiner, most)
        self._validation = encode(validation, self._truth, self.tokenizer, joiner, most)
        self.weights = class_weights(truth, len(self.labels), settings.class_weights == "balanced").to(self.device)
        self._pad = self.tokenizer.pad_token_id or 0
        self._typed = int(getattr(self.model.config, "type_vocab_size", 0) or 0) > 1
        self._optimiser = adamw(self.model, settings)
        given = [asdict(settings), model_version(parent), fingerprint(train), fingerprint(validation)]
        self._teacher = None if teacher is None else torch.from_numpy(teacher).to(self.device)
        self._priors: list[torch.Tensor] | None = None
        if priors is not None:
            self._priors = [torch.from_numpy(one).to(self.device) for one in priors]
            given.append(hashlib.sha256(priors[0].tobytes()).hexdigest())
        if teacher is not None:
            given.append(hashlib.sha256(teacher.tobytes()).hexdigest())
        self.progress = Progress(hashlib.sha256(json.dumps(given).encode()).hexdigest())
        self._best: dict[str, torch.Tensor] = {}
        batches = -(-len(self._train) // settings.batch)
        self.steps = settings.epochs * -(-batches // settings.accumulate)

    def run(self, tell: Callable[[Told], None], resume: bool = False) -> Progress:
        """Train to the end; the model then has the weights of the best epoch.

        With `resume` from the checkpoint in the folder. What `tell` raises interrupts the training, between two steps.
        Raises DataError if the checkpoint is of another training.
        """
        torch.manual_seed(self.settings.seed)
        if resume:
            self.progress, self._best = checkpoint.load(
                self._folder, self.progress.fingerprint, self.model, self._optimiser
            )
        now = self.progress
        while now.epoch < self.settings.epochs and not self._enough():
            self._epoch(tell)
            self._validate(tell)
            checkpoint.save(self._folder, now, self.model, self._optimiser, self._best)
        self.model.load_state_dict(self._best)
        self.model.eval()
        return now

    def _enough(self) -> bool:
        return bool(self.settings.patience) and self.progress.stale >= self.settings.patience

    def _epoch(self, tell: Callable[[Told], None]) -> None:
        now, settings = self.progress, self.settings
        batches = epoch_batches(self._train, settings.batch, settings.seed, now.epoch)
        self.model.train()
        while now.batch < len(batches):
            part = batches[now.batch : now.batch + settings.accumulate]
            rate = settings.rate * factor(now.step, self.steps, settings.warmup)
            loss = self._step(part, rate)
            now.loss = loss if now.step == 0 else SMOOTH * now.loss + (1 - SMOOTH) * loss
            now.batch, now.step = now.batch + len(part), now.step + 1
            if now.step % settings.checkpoint_steps == 0:
                checkpoint.save(self._folder, now, self.model, self._optimiser, self._best)
            tell(Told(now.epoch, now.step, self.steps, now.loss, rate))

    def _step(self, batches: Sequence[NDArray[np.int64]], rate: float) -> float:
        """One step of AdamW over these batches: the mean loss over their examples, each by its label's weight."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        truths = [torch.from_numpy(self._train.labels[places]).to(self.device) for places in batches]
        whole = sum(float(self.weights[truth].sum()) for truth in truths) or 1.0
        total = 0.0
        for places, truth in zip(batches, truths, strict=True):
            inputs = self._inputs(self._train, places)
            at = torch.from_numpy(places).to(self.device)
            known = _Known(
                truth,
                None if self._teacher is None else self._teacher[at],
                None if self._priors is None else self._priors[0][at],
            )
            if self.settings.adversarial:
                total += self._adversarial(inputs, known, whole)
            else:
                loss = self._loss(inputs, known) / whole
                loss.backward()
                total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self._optimiser.step()
        return total

    def _adversarial(self, inputs: dict[str, torch.Tensor], known: _Known, whole: float) -> float:
        """The fast gradient method (Miyato et al. 2017, eq. 3): each text's embeddings are pushed against the loss.

        Both losses are learned; the one without the push is returned.
        """
        embedded = self.model.get_input_embeddings()(inputs["input_ids"])
        if not embedded.requires_grad:
            embedded.requires_grad_(True)
        embedded.retain_grad()
        others = {name: tensor for name, tensor in inputs.items() if name != "input_ids"}
        loss = self._loss({**others, "inputs_embeds": embedded}, known) / whole
        loss.backward()
        gradient = embedded.grad
        length = gradient.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None]
        push = self.settings.adversarial * gradient / length
        again = self.model.get_input_embeddings()(inputs["input_ids"]) + push.detach()
        (self._loss({**others, "inputs_embeds": again}, known) / whole).backward()
        return float(loss.detach())

    def _loss(self, inputs: dict[str, torch.Tensor], known: _Known) -> Any:
        """Sum over the examples, each by its label's weight."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16):
            logits = self.model(**inputs).logits
        truth, soft, logits = known.truth, known.soft, with_prior(logits.float(), known.prior)
        hard = cross_entropy(logits, truth, self.weights, reduction="sum")
        if soft is None:
            return hard
        heat, share = self.settings.temperature, self.settings.distil
        distance = kl_div((logits / heat).log_softmax(1), (soft / heat).softmax(1), reduction="none").sum(1)
        # Times heat², so that its gradients stay as large as those of the labels (Hinton et al. 2015, section 2).
        return (1 - share) * hard + share * heat**2 * (distance * self.weights[truth]).sum()

    def _inputs(self, data: Encoded, places: NDArray[np.int64]) -> dict[str, torch.Tensor]:
        tensors = collate(data, places, self._pad, self._typed)
        return {name: tensor.to(self.device) for name, tensor in tensors.items()}

    @torch.inference_mode()
    def _chances(self, data: Encoded) -> NDArray[np.float32]:
        self.model.eval()
        chances = np.empty((len(data), len(self.labels)), np.float32)
        order = np.argsort([len(ids) for ids, _ in data.inputs], kind="stable")
        for start in range(0, len(order), self.settings.batch):
            places = order[start : start + self.settings.batch]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16):
                logits = self.model(**self._inputs(data, places)).logits
            prior = None if self._priors is None else self._priors[1][torch.from_numpy(places).to(self.device)]
            chances[places] = with_prior(logits.float(), prior).softmax(dim=1).cpu().numpy()
        return chances

    def _validate(self, tell: Callable[[Told], None]) -> None:
        """Measure, keep the weights if they are the best so far, go on to the next epoch."""
        now = self.progress
        told = measured(self._truth, self._chances(self._validation), self.labels, self._lists)
        figures = {name: float(told[name]) for name in KEPT_FIGURES if name in told}
        value = figures.get("auc", math.nan)
        value = figures["macro_f1"] if math.isnan(value) else value
        if now.best is None or value > now.best:
            now.best, now.best_epoch, now.stale = value, now.epoch, 0
            self._best = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
        else:
            now.stale += 1
        now.history.append({"epoch": now.epoch, "train_loss": now.loss, **figures})
        now.epoch, now.batch = now.epoch + 1, 0
        tell(Told(now.epoch - 1, now.step, self.steps, now.loss, 0.0, figures))


def with_prior(logits: torch.Tensor, prior: torch.Tensor | None) -> torch.Tensor:
    """Logits [n, labels] with what is known of the last label's, [n]."""
    if prior is None:
        return logits
    return torch.cat([logits[:, :-1], logits[:, -1:] + prior[:, None]], dim=1)
