"""User ids as pseudonyms: the formula, and where the key comes from."""

import hashlib
import hmac
import re
from pathlib import Path

import pytest

from agents.commands.replay import _to_send
from agents.errors import SettingsError
from agents.pseudonyms import naming, pseudonym
from agents.settings import read_settings

KEY = "an example of a key"
ROOT = Path(__file__).resolve().parents[2]


def test_it_is_the_documented_formula() -> None:
    assert pseudonym(KEY.encode(), "ana") == hmac.digest(KEY.encode(), b"ana", hashlib.sha256).hex()[:32]


def test_the_test_vector_of_the_readme_holds() -> None:
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"key `([^`]+)` and user `([^`]+)` give\s+`([0-9a-f]{32})`", readme)
    assert found is not None
    key, user, expected = found.groups()
    assert pseudonym(key.encode(), user) == expected


def test_without_a_key_ids_stay_as_they_are() -> None:
    assert naming(read_settings())("ana") == "ana"


def test_the_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    expected = pseudonym(KEY.encode(), "ana")
    assert naming(read_settings(pseudonym_key=KEY))("ana") == expected
    assert naming(read_settings(pseudonym_key_file=tmp_path / "key"))("ana") == expected


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(read_settings(pseudonym_key=KEY))


@pytest.mark.parametrize(
    ("key", "content", "hint"),
    [
        ("short", None, "openssl rand"),
        ("", "", "openssl rand"),
        (KEY, KEY, "leave one"),
        ("", "missing", "cannot read"),
    ],
)
def test_a_bad_key_is_told(key: str, content: str | None, hint: str, tmp_path: Path) -> None:
    file = None if content is None else tmp_path / "key"
    if file is not None and content != "missing":
        file.write_text(content or "")
    with pytest.raises(SettingsError, match=hint):
        naming(read_settings(pseudonym_key=key, pseudonym_key_file=file))


def test_no_user_of_a_file_is_sent_under_the_own_id() -> None:
    rows: list[dict[str, object]] = [{"user_id": "ana"}, {"user_id": 17}, {"item_id": "i"}, {"user_id": ""}]
    sent = list(_to_send(rows, "view", naming(read_settings(pseudonym_key=KEY))))
    expected = [pseudonym(KEY.encode(), user) for user in ("ana", "17")]
    assert [row.get("user_id") for row in sent[:2]] == expected
    assert sent[2] == {"item_id": "i", "event_type": "view"}
    assert list(_to_send(rows, "view", naming(read_settings()))) == [{**row, "event_type": "view"} for row in rows]
