"""Models of the BERT family that are small enough for tests: random weights, words and Chinese characters as tokens."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

from models.bert.loading import be_quiet

WORDS = ["red", "blue", "green", "mug", "cup", "lamp", "tea", "pot", "of", "for", "two", "good", "bad", "very", "not"]
CHARACTERS = list("红色的杯子一个白茶壶适合两人好坏")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *CHARACTERS, *"abcdefghijklmnopqrstuvwxyz,.!"]
LONGEST = 32
WIDTH = 32


def config(**changes: Any) -> BertConfig:
    """Three layers of width 32."""
    plain = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": WIDTH,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        # Far above the usual .02: with so few layers the inputs would hardly matter.
        "initializer_range": 0.3,
    }
    return BertConfig(**{**plain, **changes})


def make_model(folder: Path, labels: tuple[str, ...] = ("no", "yes"), seed: int = 0, **changes: Any) -> Path:
    """A classifier with these labels; none: a bi-encoder without a head."""
    be_quiet()  # a progress bar would leave a thread
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if labels:
            names = dict(enumerate(labels))
            numbers = {name: number for number, name in names.items()}
            make: Any = BertForSequenceClassification
            model = make(config(id2label=names, label2id=numbers, **changes))
        else:
            make = BertModel
            model = make(config(**changes))
    model.save_pretrained(folder)
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer: Any = BertTokenizer
    tokenizer(vocab=vocabulary, model_max_length=LONGEST).save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": LONGEST}))
    return folder
