"""A model is data: weights that would run code when they are read are refused, and nothing of them runs."""

import json
import pickle
from pathlib import Path

import pytest

from agents.errors import SetupError
from agents.scoring.models import load_encoder
from agents.settings import read_settings

pytest.importorskip("models.bert.encoder", reason="needs torch")  # here: its import changes the environment


class Bomb:
    """A pickle that makes a file when it is read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self._file,)  # type: ignore[return-value]


def folder(path: Path, weights: str, **config: object) -> tuple[Path, Path]:
    """A model folder whose weights are a pickle under this name, and the file that betrays that it was read."""
    path.mkdir()
    betrayed = path / "it-ran"
    described = {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8, **config}
    (path / "config.json").write_text(json.dumps(described))
    (path / weights).write_bytes(pickle.dumps(Bomb(betrayed)))
    pickle.loads((path / weights).read_bytes())
    assert betrayed.exists(), "it does run where it is trusted"
    betrayed.unlink()
    return path, betrayed


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.pkl", "model.pt"])
def test_weights_that_run_code_are_refused(weights: str, tmp_path: Path) -> None:
    path, betrayed = folder(tmp_path / "model", weights)
    with pytest.raises(SetupError, match=r"PROFILESTREAM_BERT_MODEL: .*no \*\.safetensors file.*may run code"):
        load_encoder(read_settings(bert_model=str(path)))
    assert not betrayed.exists()


def test_a_pickle_under_the_name_of_safetensors_is_refused(tmp_path: Path) -> None:
    path, betrayed = folder(tmp_path / "model", "model.safetensors")
    with pytest.raises(SetupError, match=r"PROFILESTREAM_BERT_MODEL: .*does not load as a BERT model"):
        load_encoder(read_settings(bert_model=str(path), device="cpu"))
    assert not betrayed.exists()


def test_code_in_a_model_folder_does_not_run(tmp_path: Path) -> None:
    classes = {"AutoModel": "code.Model", "AutoConfig": "code.Config", "AutoTokenizer": ["code.Words", None]}
    path, betrayed = folder(tmp_path / "model", "model.safetensors", model_type="own", auto_map=classes)
    (path / "code.py").write_text(f"import pathlib\npathlib.Path({str(betrayed)!r}).touch()\n")
    (path / "tokenizer_config.json").write_text(json.dumps({"auto_map": classes}))
    with pytest.raises(SetupError, match="PROFILESTREAM_BERT_MODEL"):
        load_encoder(read_settings(bert_model=str(path), device="cpu"))
    assert not betrayed.exists()
