"""Every client speaks TLS and logs in: workers and commands on a secured Kafka, and what they say when refused."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.settings import Settings
from tests.broker.secured import PASSWORDS, Secured, everything
from tests.broker.support import ROOT, cluster, environment, wait_until
from tests.broker.test_commands import COMMAND, answer, run, settled, write_files
from tests.broker.test_startup import KINDS, run_worker
from tests.conftest import free_port

pytestmark = pytest.mark.broker

KEY_PASSWORD = "pass-of-the-key-91d0"
SECRETS = (*PASSWORDS.values(), KEY_PASSWORD)


@dataclass(frozen=True)
class Login:
    """A way to log in: settings from (broker, prefix, folder), and the user that it makes."""

    user: str
    settings: Callable[[Secured, str, Path], Settings]


def scram(secured: Secured, prefix: str, folder: Path) -> Settings:
    return secured.settings(prefix, folder, log_level="debug")


def plain(secured: Secured, prefix: str, folder: Path) -> Settings:
    """The password is in a file."""
    file = folder / "password"
    file.write_text(PASSWORDS["alice"] + "\n")
    return secured.settings(
        prefix, folder, sasl_mechanism="PLAIN", sasl_password=None, sasl_password_file=file, log_level="debug"
    )


def mtls(secured: Secured, prefix: str, folder: Path) -> Settings:
    """The key is encrypted."""
    return secured.certified(prefix, folder, "carol", KEY_PASSWORD, ssl_key_password=KEY_PASSWORD, log_level="debug")


LOGINS = {"scram": Login("alice", scram), "plain": Login("alice", plain), "mtls": Login("carol", mtls)}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOGINS)
def test_workers_and_commands(name: str, secured: Secured, unique: str, tmp_path: Path) -> None:
    login = LOGINS[name]
    secured.allow(login.user, *everything(unique))
    settings = login.settings(secured, unique, tmp_path)
    said = [run(settings, "topics", "create")]
    assert said[-1].returncode == 0, said[-1].stderr
    events, items = write_files(tmp_path)
    with cluster(settings, tmp_path) as workers:
        for kind in KINDS:
            workers.start(kind)
        said.append(run(settings, "replay", str(events), "--items", str(items)))
        assert said[-1].returncode == 0, said[-1].stderr
        workers.wait_until(lambda: settled(settings), "neighbours of every item")
        listed = answer(settings, "request", "u3", "--k", "4")
        assert len(listed["items"]) == 4
        assert answer(settings, "profile", "u7")["events"] == 5
        assert len(answer(settings, "similar", "i4", "--k", "2")["neighbours"]) == 2
        assert watched(settings)["user_id"] == "u9"
        logs = "".join(worker.text() for worker in workers.workers)
    logs += "".join(ended.stdout + ended.stderr for ended in said)
    assert "aiokafka" in logs, "the engine's own lines are there too"
    assert [secret for secret in SECRETS if secret in logs] == []


def watched(settings: Settings) -> dict[str, object]:
    """The first list that `watch` prints."""
    with subprocess.Popen(
        [*COMMAND, "watch", "u9", "--count", "1", "--json"],
        env={**os.environ, **environment(settings)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as watching:
        try:

            def asked_until_seen() -> bool:  # it sees lists from the moment on when it reads
                answer(settings, "request", "u9")
                return watching.poll() is not None

            wait_until(asked_until_seen, "a list")
            found: dict[str, object] = json.loads(watching.communicate()[0])
        finally:
            if watching.poll() is None:
                watching.kill()
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_ends_a_worker(
    kind: str, mechanism: str, secured: Secured, unique: str, tmp_path: Path
) -> None:
    settings = secured.settings(unique, tmp_path, sasl_password="not-the-one-3be1", sasl_mechanism=mechanism)
    code, said = run_worker(kind, environment(settings))
    assert code == 2, said
    assert "does not let user alice in" in said
    assert "PROFILESTREAM_SASL_PASSWORD" in said
    assert "not-the-one-3be1" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrusted_certificate_ends_a_worker(kind: str, secured: Secured, unique: str, tmp_path: Path) -> None:
    code, said = run_worker(kind, environment(secured.settings(unique, tmp_path, ssl_ca=None)))
    assert code == 2, said
    assert "is not trusted" in said
    assert "PROFILESTREAM_SSL_CA" in said
    assert "Traceback" not in said


def test_a_certificate_for_another_host_is_not_trusted_unless_told(
    secured: Secured, unique: str, tmp_path: Path
) -> None:
    other = f"localhost:{secured.side.sasl_port}"  # the certificate names 127.0.0.1
    ended = run(secured.settings(unique, tmp_path, bootstrap_servers=other), "topics", "check")
    assert ended.returncode == 2, ended.stderr
    assert "is not trusted" in ended.stderr
    ended = run(
        secured.settings(unique, tmp_path, bootstrap_servers=other, ssl_check_hostname=False), "topics", "check"
    )
    assert "has no right to: Describe on topic" in ended.stderr


def test_no_client_certificate(secured: Secured, unique: str, tmp_path: Path) -> None:
    settings = secured.certified(unique, tmp_path, "carol", ssl_certificate=None, ssl_key=None)
    ended = run(settings, "topics", "check")
    assert ended.returncode == 2, ended.stderr
    assert "PROFILESTREAM_SSL_CERTIFICATE" in ended.stderr


def test_a_mechanism_that_the_broker_does_not_offer(secured: Secured, unique: str, tmp_path: Path) -> None:
    ended = run(secured.settings(unique, tmp_path, sasl_mechanism="SCRAM-SHA-256"), "topics", "check")
    assert ended.returncode == 2, ended.stderr
    assert "PROFILESTREAM_SASL_MECHANISM" in ended.stderr


def test_tls_to_a_plain_port(secured: Secured, unique: str, tmp_path: Path) -> None:
    settings = secured.settings(unique, tmp_path, bootstrap_servers=secured.broker.bootstrap)
    ended = run(settings, "topics", "check")
    assert ended.returncode == 2, ended.stderr
    assert "refuses the TLS connection" in ended.stderr
    assert "PROFILESTREAM_SECURITY_PROTOCOL" in ended.stderr


@pytest.mark.parametrize("command", [["topics", "check"], ["profile", "u"], ["request", "u"]], ids=" ".join)
def test_plain_to_a_tls_port(command: list[str], secured: Secured, unique: str, tmp_path: Path) -> None:
    settings = secured.settings(
        unique,
        tmp_path,
        bootstrap_servers=secured.side.sasl_bootstrap,
        security_protocol="PLAINTEXT",
        ssl_ca=None,
        sasl_username="",
        sasl_password=None,
    )
    ended = run(settings, *command)
    assert ended.returncode == 4, ended.stderr
    assert "PROFILESTREAM_SECURITY_PROTOCOL" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_broker_that_is_away_is_not_a_refusal(secured: Secured, unique: str, tmp_path: Path) -> None:
    settings = secured.settings(unique, tmp_path, bootstrap_servers=f"127.0.0.1:{free_port()}")
    ended = run(settings, "topics", "check")
    assert ended.returncode == 4, ended.stderr
    assert "PROFILESTREAM_BOOTSTRAP_SERVERS" in ended.stderr
