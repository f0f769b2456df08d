"""BERT's classifier without padding: the tokens of all inputs in one row, of one length after the other.

The same arithmetic as transformers' `BertForSequenceClassification` (Devlin et al. 2019), in another order:

- Linear layers see [tokens, width], not [inputs, longest, width], so nothing is computed for padding.
- Attention runs on each group of inputs of one length, without a mask.
- Only `[CLS]` leaves the last layer, so only its query, output and feed-forward part are computed there: with six
  layers a seventh of the work is saved.
- Query, key and value are one matrix product.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention
from transformers import BertForSequenceClassification


class Weights(NamedTuple):
    """Of a linear layer [out, in] or of a layer norm, and what is added."""

    weight: Tensor
    bias: Tensor


class Layer(NamedTuple):
    """One layer; `qkv` are query, key and value below each other."""

    qkv: Weights
    out: Weights
    out_norm: Weights
    up: Weights
    down: Weights
    down_norm: Weights


def fits(model: Any) -> bool:
    """Whether this arithmetic is the model's: plain BERT. Other families go through transformers."""
    if not isinstance(model, BertForSequenceClassification):
        return False
    config = model.config
    absolute = getattr(config, "position_embedding_type", None) in (None, "absolute")
    return config.hidden_act == "gelu" and absolute and not getattr(config, "is_decoder", False)


class PackedBert:
    """The weights of a model that `fits`, on its device and in its precision."""

    def __init__(self, model: Any) -> None:
        bert = model.bert
        self._heads = int(model.config.num_attention_heads)
        self._width = int(model.config.hidden_size)
        self._eps = float(model.config.layer_norm_eps)
        tables = bert.embeddings
        self._words, self._places, self._types = (
            table.weight.detach()
            for table in (tables.word_embeddings, tables.position_embeddings, tables.token_type_embeddings)
        )
        self._norm = _of(tables.LayerNorm)
        self._layers = [_layer(layer) for layer in bert.encoder.layer]
        self._pooler, self._head = _of(bert.pooler.dense), _of(model.classifier)

    @torch.inference_mode()
    def logits(self, ids: Tensor, types: Tensor, lengths: Sequence[int]) -> Tensor:
        """Logits [len(lengths), labels] of inputs that lie behind each other in `ids` and `types` [tokens].

        Inputs of one length are neighbours; any order of the lengths will do, sorted ones are fastest.
        """
        counts = np.asarray(lengths)
        starts = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) - np.repeat(starts, counts)
        states = self._words[ids] + self._places[torch.from_numpy(places).to(ids.device)] + self._types[types]
        states = self._normed(states, self._norm)
        groups = _groups(counts)
        for layer in self._layers[:-1]:
            attended = self._attended(linear(states, *layer.qkv), groups)
            states = self._rest(states, attended, layer)
        last, width = self._layers[-1], self._width
        first = states[torch.from_numpy(starts).to(ids.device)]
        query = linear(first, last.qkv.weight[:width], last.qkv.bias[:width])
        key_value = linear(states, last.qkv.weight[width:], last.qkv.bias[width:])
        first = self._rest(first, self._attended_by_first(query, key_value, groups), last)
        return linear(torch.tanh(linear(first, *self._pooler)), *self._head)

    def _normed(self, states: Tensor, norm: Weights) -> Tensor:
        return layer_norm(states, (self._width,), *norm, self._eps)

    def _rest(self, states: Tensor, attended: Tensor, layer: Layer) -> Tensor:
        """What follows attention in a layer, for each row by itself."""
        states = self._normed(states + linear(attended, *layer.out), layer.out_norm)
        return self._normed(states + linear(gelu(linear(states, *layer.up)), *layer.down), layer.down_norm)

    def _attended(self, query_key_value: Tensor, groups: Sequence[tuple[int, int]]) -> Tensor:
        parts, start = [], 0
        for count, length in groups:
            rows = query_key_value[start : start + count * length].view(count, length, 3, self._heads, -1)
            query, key, value = rows.permute(2, 0, 3, 1, 4)
            mixed = scaled_dot_product_attention(query, key, value)
            parts.append(mixed.transpose(1, 2).reshape(count * length, self._width))
            start += count * length
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _attended_by_first(self, query: Tensor, key_value: Tensor, groups: Sequence[tuple[int, int]]) -> Tensor:
        parts, start, row = [], 0, 0
        for count, length in groups:
            key, value = (
                key_value[start : start + count * length].view(count, length, 2, self._heads, -1).permute(2, 0, 3, 1, 4)
            )
            wanted = query[row : row + count].view(count, 1, self._heads, -1).transpose(1, 2)
            parts.append(scaled_dot_product_attention(wanted, key, value).reshape(count, self._width))
            start, row = start + count * length, row + count
        return torch.cat(parts) if len(parts) > 1 else parts[0]


def _groups(lengths: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """(inputs, length) of each run of one length."""
    ends = np.append(np.flatnonzero(np.diff(lengths)), len(lengths) - 1)
    counts = np.diff(ends, prepend=-1)
    return list(zip(counts.tolist(), lengths[ends].tolist(), strict=True))


def _of(module: Any) -> Weights:
    return Weights(module.weight.detach(), module.bias.detach())


def _layer(layer: Any) -> Layer:
    inner, out = layer.attention.self, layer.attention.output
    three = [_of(module) for module in (inner.query, inner.key, inner.value)]
    return Layer(
        Weights(torch.cat([one.weight for one in three]), torch.cat([one.bias for one in three])),
        _of(out.dense),
        _of(out.LayerNorm),
        _of(layer.intermediate.dense),
        _of(layer.output.dense),
        _of(layer.output.LayerNorm),
    )
