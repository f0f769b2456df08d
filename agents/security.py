"""The settings with which every client reaches a secured Kafka: TLS, client certificates, SASL.

What belongs together is checked together, files are read once to see that they are what they should be, and each fault
names its variable. Passwords come from a variable or, better, from a file (`…_FILE`): a process's variables are open
to whoever may look at the process.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "PROFILESTREAM_"

_SASL = ("sasl_username", "sasl_password", "sasl_password_file")
_TLS = ("ssl_ca", "ssl_certificate", "ssl_key", "ssl_key_password", "ssl_key_password_file")
_FILES = ("ssl_ca", "ssl_certificate", "ssl_key", "ssl_key_password_file", "sasl_password_file")


def variable(name: str) -> str:
    """The variable that a setting comes from."""
    return ENV_PREFIX + name.upper()


class SecuritySettings(BaseSettings):
    """How clients and brokers prove who they are. The same for every client of a process."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka is spoken to; on a network that is not yours SASL_SSL, or SSL for mTLS."
    )
    ssl_ca: Path | None = Field(
        None, description="PEM file of the authorities whose broker certificates are trusted; empty: the system's."
    )
    ssl_certificate: Path | None = Field(None, description="PEM file with the client's own certificate (mTLS).")
    ssl_key: Path | None = Field(None, description="PEM file with its key; may be the same file.")
    ssl_key_password: SecretStr | None = Field(None, description="Password of an encrypted key.")
    ssl_key_password_file: Path | None = Field(None, description="File that holds it.")
    ssl_check_hostname: bool = Field(True, description="The broker's certificate must name the host that was asked.")
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="How a user proves the password; PLAIN shows it to the broker."
    )
    sasl_username: str = Field("", description="User of Kafka.")
    sasl_password: SecretStr | None = Field(None, description="The user's password.")
    sasl_password_file: Path | None = Field(None, description="File that holds it.")

    @field_validator(*_FILES, "sasl_password", "ssl_key_password", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if faults := list(self._faults()) or list(self._file_faults()):
            raise ValueError("\n  ".join(faults))
        return self

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol in {"SSL", "SASL_SSL"}

    @property
    def uses_sasl(self) -> bool:
        """Whether a user and a password are shown."""
        return self.security_protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    def password(self) -> str:
        """The user's password, in the clear; for clients only."""
        return _secret(self.sasl_password, self.sasl_password_file)

    def key_password(self) -> str:
        """The password of the client's key, in the clear; empty if it has none."""
        return _secret(self.ssl_key_password, self.ssl_key_password_file)

    def tls_context(self) -> ssl.SSLContext:
        """The TLS settings as Python's `ssl` wants them. Raises `OSError` if a file is no good."""
        context = ssl.create_default_context(cafile=self.ssl_ca)
        context.check_hostname = self.ssl_check_hostname
        if self.ssl_certificate is not None and self.ssl_key is not None:
            context.load_cert_chain(self.ssl_certificate, self.ssl_key, self.key_password)
        return context

    def _faults(self) -> Iterator[str]:
        """What does not fit together, each with what to do."""
        protocol = f"{variable('security_protocol')}={self.security_protocol}"
        for used, names, wanted in ((self.uses_tls, _TLS, "SASL_SSL or SSL"), (self.uses_sasl, _SASL, "SASL_SSL")):
            if not used:
                for name in names:
                    if getattr(self, name):
                        yield f"{variable(name)} is set, but {protocol} makes no use of it: set {wanted}, or unset it"
        for name in ("sasl_password", "ssl_key_password"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                yield f"{variable(name)} and {variable(name)}_FILE are both set: unset one"
        if self.uses_sasl:
            if not self.sasl_username:
                yield f"{protocol} needs {variable('sasl_username')}"
            if self.sasl_password is None and self.sasl_password_file is None:
                yield f"{protocol} needs {variable('sasl_password')} or {variable('sasl_password_file')}"
        if self.uses_tls:
            if (self.ssl_certificate is None) != (self.ssl_key is None):
                missing = "ssl_key" if self.ssl_key is None else "ssl_certificate"
                yield f"a client certificate needs its key, and a key its certificate: set {variable(missing)} too"
            if self.ssl_key is None and (self.ssl_key_password or self.ssl_key_password_file):
                yield f"{variable('ssl_key_password')} is set, but no key: set {variable('ssl_key')}, or unset it"

    def _file_faults(self) -> Iterator[str]:
        """What is wrong with the files."""
        readable = True
        for name in _FILES:
            path: Path | None = getattr(self, name)
            if path is not None and (fault := _unreadable(path) or ("password" in name and _no_password(path)) or ""):
                readable = False
                yield f"{variable(name)}={path}: {fault}"
        if self.uses_tls and readable:
            try:
                ssl.create_default_context(cafile=self.ssl_ca)
            except OSError as exc:
                yield f"{variable('ssl_ca')}={self.ssl_ca}: no certificate in PEM form can be read ({exc.strerror})"
                return
            try:
                self.tls_context()
            except (OSError, ValueError) as exc:
                yield self._key_fault(exc)

    def _key_fault(self, error: Exception) -> str:
        certificate, key = self.ssl_certificate, self.ssl_key
        assert key is not None
        if b"ENCRYPTED" in key.read_bytes():
            return (
                f"{variable('ssl_key')}={key}: the key is encrypted and cannot be read with "
                f"{variable('ssl_key_password')} (or {variable('ssl_key_password_file')}); set the right one"
            )
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        return (
            f"{variable('ssl_certificate')}={certificate}, {variable('ssl_key')}={key}: they must be PEM files that "
            f"belong together ({why})"
        )


def _unreadable(path: Path) -> str:
    """Why a file cannot be read; empty if it can."""
    try:
        with path.open("rb") as file:
            return "" if file.read(1) else "the file is empty"
    except OSError as exc:
        return f"the file cannot be read: {exc.strerror}"


def _no_password(path: Path) -> str:
    """Why a file holds no password; empty if it does. Says nothing of what is in it."""
    try:
        return "" if _secret(None, path) else "the file holds no password"
    except UnicodeDecodeError:
        return "the file is not UTF-8 text"


def _secret(value: SecretStr | None, file: Path | None) -> str:
    """A secret from its variable or its file; the line end of the file is not part of it."""
    if file is not None:
        return file.read_text().rstrip("\r\n")
    return "" if value is None else value.get_secret_value()
