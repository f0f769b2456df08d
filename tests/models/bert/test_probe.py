"""A model is used only if it says what it said when it was written."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from models.bert.cross_encoder import CrossEncoder
from models.bert.folder import ModelError, find_model
from models.bert.pair_model import PairModel
from models.bert.probe import FILE, INPUTS, check_probe, write_probe
from tests.models.bert.tiny import make_model

PAIRS = [("red mug\nblue cup", "tea pot"), ("two lamp", "red cup"), ("红色的杯子", "白茶壶")]


def load(folder: Path, precision: str = "float32") -> CrossEncoder:
    return CrossEncoder(find_model(str(folder)), "cpu", precision=precision)  # type: ignore[arg-type]


def test_a_model_passes_its_own_probe_in_any_precision(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "reader")
    check_probe(load(folder), folder)
    write_probe(load(folder), folder, PAIRS * INPUTS)
    assert len(json.loads((folder / FILE).read_text())) == INPUTS
    check_probe(load(folder), folder)


def test_weights_of_another_model_are_found_out(tmp_path: Path) -> None:
    folder, other = make_model(tmp_path / "reader"), make_model(tmp_path / "other", seed=1)
    write_probe(load(folder), folder, PAIRS)
    (folder / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="differs from its probe by"):
        check_probe(load(folder), folder)


def test_broken_weights_and_broken_probes_are_found_out(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "reader")
    encoder = load(folder)
    (folder / FILE).write_text("[{]")
    with pytest.raises(ModelError, match="cannot be read"):
        check_probe(encoder, folder)
    (folder / FILE).write_text(json.dumps([{"texts": PAIRS[0], "chances": [0.1, 0.2, 0.7]}]))
    with pytest.raises(ModelError, match="other labels"):
        check_probe(encoder, folder)
    (folder / FILE).unlink()
    encoder._model.classifier.bias.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="no number"):
        check_probe(encoder, folder)


def test_a_model_of_pairs_says_how_likely_yes_is(tmp_path: Path) -> None:
    encoder = load(make_model(tmp_path / "reader"))
    model = PairModel(encoder)
    np.testing.assert_allclose(model.chances(PAIRS), encoder.chances(PAIRS)[:, 1])
    assert encoder.tokens.misses == 6
    model.chances(PAIRS)
    assert encoder.tokens.misses == 6
    one = load(make_model(tmp_path / "one", labels=("score",)))
    assert PairModel(one).chances(PAIRS).shape == (3,)


def test_a_model_of_other_labels_cannot_rank(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has the labels negative, positive: to rank items it must"):
        PairModel(load(make_model(tmp_path / "moods", labels=("negative", "positive"))))
