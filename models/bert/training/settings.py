"""What a training can be told."""

from dataclasses import dataclass
from typing import Literal

ClassWeights = Literal["none", "balanced"]


@dataclass(frozen=True)
class TrainSettings:
    """Defaults are those that BERT is usually fine-tuned with (Devlin et al. 2019, appendix A.3)."""

    epochs: int = 4
    batch: int = 32
    """Examples a forward pass takes."""
    accumulate: int = 1
    """Forward passes whose gradients make one step."""
    rate: float = 5e-5
    """Largest step width of AdamW, after warm-up; then it falls linearly to 0."""
    weight_decay: float = 0.01
    """Of matrices; not of biases and layer norms."""
    warmup: float = 0.1
    """Share of the steps in which the step width rises linearly from 0."""
    clip: float = 1.0
    """Longest gradient, as a norm over all weights."""
    max_tokens: int = 128
    seed: int = 7
    patience: int = 2
    """Training ends after so many epochs without a better validation; 0: never before the last epoch."""
    class_weights: ClassWeights = "none"
    """balanced: the loss of an example counts rows / (labels · rows of its label)."""
    bf16: bool = False
    """Multiply matrices in bfloat16; weights and sums stay float32."""
    adversarial: float = 0.0
    """FGM: length of the push on the word embeddings against the loss, which is learned too; 0: none."""
    freeze_embeddings: bool = False
    """Leave the word embeddings as they are: less memory and time where the vocabulary is large."""
    distil: float = 0.5
    """Share of the loss that is the distance from a teacher's chances, where there is one (Hinton et al. 2015)."""
    temperature: float = 2.0
    """What logits of both are divided by for that distance."""
    prior_epochs: int = 3
    """How often the prior's bi-encoder learns from all lists which titles are taken together, before all else."""
    prior_rate: float = 1e-4
    """Largest step width of it."""
    checkpoint_steps: int = 200
    """Steps between checkpoints, besides the one after each epoch."""
