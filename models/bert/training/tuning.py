"""Teaches the bi-encoder of a prior which titles are taken together.

The mean vector of a profile's titles is to be nearer to a title that was taken than to the other titles of a batch:

    loss = −log( exp(s · cos(p, t)) / (exp(s · cos(p, t)) + Σ_o exp(s · cos(p, o))) )

(InfoNCE: van den Oord et al. 2018, equation 4; others from the same batch: Henderson et al. 2017), where the others o
are the titles of all lists of the batch that this profile neither holds nor took. The bi-encoder knows how alike two
texts are; this adds what people who buy printers need besides printers, of titles that it has never seen as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.bert.encoder import Device, batches, choose_device, padded, pooled
from models.bert.folder import ModelFolder
from models.bert.loading import load_bare, load_tokenizer
from models.bert.training.examples import Example
from models.bert.training.settings import TrainSettings
from models.bert.training.steps import adamw, factor
from models.pair_texts import liked

SCALE = 20.0
"""s: cosines lie close together, and a softmax over them must not be flat."""
TITLE_TOKENS = 64
"""Of a title, at most: nearly all have fewer, and the longest decides what a batch costs."""
TOKENS_AT_ONCE = 1_024
ANCHORS = 32
"""Lists in a batch: each is told apart from the titles of all others."""
Tell = Callable[[int, int, float], None]
"""Step, of how many, loss."""


def untold(step: int, steps: int, loss: float) -> None:
    """Where nobody looks on."""


@dataclass(frozen=True)
class Anchor:
    """A list: titles of its profile, and those that were taken and left."""

    profile: Sequence[str]
    taken: Sequence[str]
    left: Sequence[str]


def anchors_of(examples: Sequence[Example], positive: NDArray[np.bool_]) -> list[Anchor]:
    """Those lists of pairs whose profile has titles and of which something was taken; positive: [n]."""
    lists: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for example, yes in zip(examples, positive.tolist(), strict=True):
        taken_and_left = lists.setdefault((example.of_list, example.texts[0]), ([], []))
        taken_and_left[0 if yes else 1].append(example.texts[1])
    found = [Anchor(liked(profile), *both) for (_, profile), both in lists.items()]
    return [one for one in found if one.profile and one.taken]


def info_nce(
    profiles: torch.Tensor, titles: torch.Tensor, taken: torch.Tensor, others: torch.Tensor, scale: float = SCALE
) -> torch.Tensor:
    """The mean loss over all pairs of a profile and a title that was taken.

    profiles: unit vectors [p × d]; titles: [t × d]; taken, others: masks [p × t].
    """
    logits = scale * profiles @ titles.T
    rows, cols = taken.nonzero(as_tuple=True)
    right = logits[rows, cols]
    wrong = logits.masked_fill(~others, -torch.inf)[rows]
    return (torch.cat([right[:, None], wrong], dim=1).logsumexp(1) - right).mean()


class TitleTuner:
    """A bi-encoder that is being tuned. Safe to call from one thread at a time."""

    def __init__(self, folder: ModelFolder, settings: TrainSettings, device: Device = "auto") -> None:
        """Load the bi-encoder. Raises ModelError."""
        self._folder, self._settings, self._device = folder, settings, choose_device(device)
        self._tokenizer = load_tokenizer(folder)
        self.model = load_bare(folder, torch.float32).to(self._device)
        if settings.freeze_embeddings:
            self.model.get_input_embeddings().weight.requires_grad_(False)
        self._pad = self._tokenizer.pad_token_id or 0

    def run(self, anchors: Sequence[Anchor], tell: Tell) -> None:
        """Learn from all anchors `prior_epochs` times, each time in another order; the seed fixes all of it."""
        settings = self._settings
        torch.manual_seed(settings.seed)
        optimiser = adamw(self.model, settings)
        starts = range(0, len(anchors), ANCHORS)
        step, steps = 0, settings.prior_epochs * len(starts)
        self.model.train()
        for epoch in range(settings.prior_epochs):
            order = np.random.default_rng([settings.seed, epoch]).permutation(len(anchors))
            for start in starts:
                batch = [anchors[place] for place in order[start : start + ANCHORS].tolist()]
                for group in optimiser.param_groups:
                    group["lr"] = settings.prior_rate * factor(step, steps, settings.warmup)
                optimiser.zero_grad(set_to_none=True)
                loss = self._loss(batch)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
                optimiser.step()
                step += 1
                tell(step, steps, float(loss.detach()))
        self.model.eval()

    def _loss(self, batch: Sequence[Anchor]) -> torch.Tensor:
        shown = list(dict.fromkeys(title for one in batch for title in (*one.taken, *one.left)))
        titles = list(dict.fromkeys([*shown, *(title for one in batch for title in one.profile)]))
        at = {title: place for place, title in enumerate(titles)}
        vectors = self._vectors(titles)
        means = torch.stack([vectors[[at[title] for title in one.profile]].mean(dim=0) for one in batch])
        taken = np.zeros((len(batch), len(shown)), np.bool_)
        others = np.ones_like(taken)
        for row, one in enumerate(batch):
            taken[row, [at[title] for title in one.taken]] = True
            own = [at[title] for title in (*one.taken, *one.profile)]
            others[row, [place for place in own if place < len(shown)]] = False
        right, wrong = (torch.from_numpy(mask).to(self._device) for mask in (taken, others))
        return info_nce(torch.nn.functional.normalize(means, dim=1), vectors[: len(shown)], right, wrong)

    def _vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors [len(texts) × d], as the encoder makes them."""
        most = min(TITLE_TOKENS, self._folder.max_tokens)
        ids = self._tokenizer(list(texts), truncation=True, max_length=most, return_attention_mask=False)["input_ids"]
        groups = list(batches([len(text) for text in ids], TOKENS_AT_ONCE))
        parts = []
        for places in groups:
            arrays = padded([ids[at] for at in places], self._pad)
            tokens, mask = (torch.from_numpy(array).to(self._device) for array in arrays)
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._settings.bf16):
                hidden = self.model(input_ids=tokens, attention_mask=mask)
            parts.append(pooled(hidden.last_hidden_state.float(), mask, self._folder.pooling))
        return torch.cat(parts)[torch.from_numpy(np.argsort(np.concatenate(groups)))]
