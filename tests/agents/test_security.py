"""Settings of TLS and SASL: what does not fit together is named, and secrets are never shown."""

import logging
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException

from agents.errors import SettingsError
from agents.local.secured import SecuredSide
from agents.runtime.clients import admin_client, committed_consumer, plain_producer, transactional_producer
from agents.runtime.process import set_up_logging
from agents.settings import Settings, read_settings
from tests.broker.support import ROOT, environment

SECRET = "a-secret-7c1f"
SASL: dict[str, Any] = {"security_protocol": "SASL_SSL", "sasl_username": "alice", "sasl_password": SECRET}


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> SecuredSide:
    """An authority with two certificates, one with an encrypted key."""
    made = SecuredSide(tmp_path_factory.mktemp("side"), 1, 2)
    made.prepare()
    made.certificate("worker")
    made.certificate("closed", SECRET)
    return made


def pair(side: SecuredSide, name: str) -> dict[str, Path]:
    return {"ssl_certificate": side.folder / f"{name}.crt", "ssl_key": side.folder / f"{name}.key"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"security_protocol": "TLS"}, r"PROFILESTREAM_SECURITY_PROTOCOL='TLS'"),
    ({"security_protocol": "SASL_SSL"}, r"SASL_SSL needs PROFILESTREAM_SASL_USERNAME"),
    ({**SASL, "sasl_password": None}, r"PROFILESTREAM_SASL_PASSWORD or PROFILESTREAM_SASL_PASSWORD_FILE"),
    ({**SASL, "sasl_mechanism": "GSSAPI"}, r"PROFILESTREAM_SASL_MECHANISM='GSSAPI'"),
    ({**SASL, "security_protocol": "PLAINTEXT"}, r"PROFILESTREAM_SASL_USERNAME is set, but .*PLAINTEXT.*set SASL_SSL"),
    ({**SASL, "security_protocol": "SSL"}, r"PROFILESTREAM_SASL_PASSWORD is set, but .*=SSL "),
    ({"ssl_ca": "ca.pem"}, r"PROFILESTREAM_SSL_CA is set, but .*PLAINTEXT"),
    ({**SASL, "sasl_password_file": "x"}, r"PROFILESTREAM_SASL_PASSWORD and PROFILESTREAM_SASL_PASSWORD_FILE are both"),
    ({**SASL, "sasl_password": None, "sasl_password_file": "/not/here"}, r"_SASL_PASSWORD_FILE=/not/here: .*No such"),
    ({**SASL, "ssl_ca": "/not/here"}, r"PROFILESTREAM_SSL_CA=/not/here: .*No such file"),
    ({**SASL, "ssl_ca": str(ROOT / "LICENSE")}, r"PROFILESTREAM_SSL_CA=.*LICENSE: no certificate in PEM form"),
    ({**SASL, "ssl_certificate": str(ROOT / "LICENSE")}, r"set PROFILESTREAM_SSL_KEY too"),
    ({**SASL, "ssl_key": str(ROOT / "LICENSE")}, r"set PROFILESTREAM_SSL_CERTIFICATE too"),
    ({**SASL, "ssl_key_password": SECRET}, r"PROFILESTREAM_SSL_KEY_PASSWORD is set, but no key"),
    ({**SASL, "embedded": True}, r"PROFILESTREAM_EMBEDDED"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_what_does_not_fit_together_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        read_settings(**options)
    assert SECRET not in str(caught.value)
    assert SECRET not in str(caught.value.__cause__)


@pytest.mark.parametrize(("held", "fault"), [(b"\xff" + SECRET.encode(), "not UTF-8"), (b"\n", "holds no password")])
def test_a_file_that_holds_no_password_is_named(held: bytes, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(held)
    with pytest.raises(SettingsError, match=f"PROFILESTREAM_SASL_PASSWORD_FILE=.*{fault}") as caught:
        read_settings(**{**SASL, "sasl_password": None, "sasl_password_file": file})
    assert SECRET not in str(caught.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"(?s)SASL_USERNAME.*SASL_PASSWORD.*SSL_KEY too"):
        read_settings(security_protocol="SASL_SSL", ssl_certificate="LICENSE")


def test_key_and_certificate_belong_together(side: SecuredSide) -> None:
    mixed = {**pair(side, "worker"), "ssl_key": side.folder / "ca.key"}
    with pytest.raises(SettingsError, match=r"PROFILESTREAM_SSL_KEY.*belong together"):
        read_settings(security_protocol="SSL", **mixed)


@pytest.mark.parametrize("password", [None, "another"])
def test_an_encrypted_key_needs_its_password(side: SecuredSide, password: str | None) -> None:
    with pytest.raises(SettingsError, match=r"the key is encrypted.*PROFILESTREAM_SSL_KEY_PASSWORD"):
        read_settings(security_protocol="SSL", ssl_key_password=password, **pair(side, "closed"))


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CA", "SASL_PASSWORD", "SASL_USERNAME", "SASL_PASSWORD_FILE"):
        monkeypatch.setenv(f"PROFILESTREAM_{name}", "")
    assert read_settings().ssl_ca is None


def test_passwords_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    settings = read_settings(**{**SASL, "sasl_password": None, "sasl_password_file": tmp_path / "password"})
    assert settings.password() == SECRET


def secured(side: SecuredSide) -> Settings:
    return read_settings(**SASL, ssl_ca=side.ca, ssl_key_password=SECRET, **pair(side, "closed"))


def test_secrets_are_not_shown(side: SecuredSide) -> None:
    settings = secured(side)
    side_with_users = SecuredSide(side.folder, 1, 2, {"a": SECRET})
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {side_with_users!r}"
    assert SECRET not in shown
    assert SECRET in environment(settings).values(), "the tests' own workers are given it"


@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_every_client_takes_the_options(side: SecuredSide, protocol: str) -> None:
    settings = secured(side) if protocol == "SASL_SSL" else read_settings(**{**SASL, "security_protocol": protocol})
    consumer = committed_consumer(settings, "g")
    clients = [admin_client(settings), plain_producer(settings), transactional_producer(settings, "t"), consumer]
    assert all(clients)
    consumer.close()


def test_the_engine_checks_what_the_other_clients_check(side: SecuredSide) -> None:
    context = secured(side).tls_context()
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert len(context.get_ca_certs()) == 1
    careless = read_settings(security_protocol="SSL", ssl_ca=side.ca, ssl_check_hostname=False).tls_context()
    assert (careless.check_hostname, careless.verify_mode) == (False, ssl.CERT_REQUIRED)


def test_a_client_that_cannot_be_made_shows_no_secret(side: SecuredSide) -> None:
    settings = secured(side)
    (side.folder / "closed.key").rename(side.folder / "moved.key")
    try:
        with pytest.raises(KafkaException) as caught:
            admin_client(settings)
    finally:
        (side.folder / "moved.key").rename(side.folder / "closed.key")
    assert SECRET not in str(caught.value)


def test_a_worker_names_a_wrong_combination(tmp_path: Path) -> None:
    variables = {
        "PROFILESTREAM_SECURITY_PROTOCOL": "SSL",
        "PROFILESTREAM_SASL_PASSWORD": SECRET,
        "PROFILESTREAM_DATA_DIR": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "agents.cli", "worker", "profiles"]
    ended = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 2
    assert "PROFILESTREAM_SASL_PASSWORD is set" in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.fixture
def _levels() -> Iterator[None]:
    """Levels of loggers as before."""
    names = ("faust", "mode", "asyncio", "agents.runtime.engine", "aiokafka", "kafka")
    before = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_levels")
def test_requests_to_the_broker_are_never_logged() -> None:
    set_up_logging(read_settings(log_level="debug"))
    assert not logging.getLogger("aiokafka.conn").isEnabledFor(logging.DEBUG)
