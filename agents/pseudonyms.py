"""User ids as pseudonyms: what leaves a command names no person to those who lack the key.

pseudonym = first 32 hex digits of HMAC-SHA-256(key, user_id), both as UTF-8
"""

import hashlib
import hmac
from collections.abc import Callable

from agents.errors import SettingsError
from agents.settings import ENV_PREFIX, Settings

HEX_DIGITS = 32
LEAST_KEY_BYTES = 16
"""A shorter key can be guessed, and with it every user id."""
_KEY, _FILE = f"{ENV_PREFIX}PSEUDONYM_KEY", f"{ENV_PREFIX}PSEUDONYM_KEY_FILE"


def pseudonym(key: bytes, user_id: str) -> str:
    """The pseudonym of a user id."""
    return hmac.new(key, user_id.encode(), hashlib.sha256).hexdigest()[:HEX_DIGITS]


def naming(settings: Settings) -> Callable[[str], str]:
    """From a user id as people know it to the id that is sent: a pseudonym where there is a key, else the id itself.

    Raises `SettingsError` if the key is too short or its file cannot be read.
    """
    key = _key(settings)
    # A file may hold ids that are numbers: they must not slip through.
    return (lambda user_id: pseudonym(key, str(user_id))) if key else (lambda user_id: user_id)


def _key(settings: Settings) -> bytes:
    key, file = settings.pseudonym_key.get_secret_value().encode(), settings.pseudonym_key_file
    if key and file is not None:
        raise SettingsError(f"{_KEY} and {_FILE} are both set: leave one of them out")
    source = _KEY
    if file is not None:
        source = _FILE
        try:
            key = file.read_bytes().rstrip(b"\r\n")
        except OSError as exc:
            raise SettingsError(f"{_FILE}: cannot read {file}: {exc.strerror}") from exc
    if (key or file is not None) and len(key) < LEAST_KEY_BYTES:
        raise SettingsError(f"{source}: the key has {len(key)} bytes: make one with `openssl rand -hex 32`")
    return key
