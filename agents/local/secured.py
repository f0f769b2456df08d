"""A secured side for Apache Kafka on this machine: TLS, users, client certificates and access rights, for tests.

The plain listener stays, for whoever sets the broker up: without a name, and allowed everything. Beside it:

    sasl_port   TLS and a user with a password, SCRAM-SHA-512 or PLAIN
    tls_port    TLS and a client certificate; the user is the certificate's name

    side = SecuredSide(folder, sasl_port, tls_port, {"alice": "secret"})
    side.prepare()
    broker = LocalKafka(directory, port, controller_port, side.properties(port, controller_port))
    broker.start()
    side.add_users(broker.bootstrap)

Nobody but the plain listener may do anything that no rule allows. Certificates are made with `openssl` and are good
for a week, since nobody is to keep them.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from agents.local.errors import LocalKafkaError

HOST = "127.0.0.1"
DAYS_VALID = 7
SCRAM_ITERATIONS = 4096
"""The fewest that Kafka takes: nothing here is worth more work."""
ANSWER_TIMEOUT_S = 20.0
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")

PROPERTIES = """\
listeners=PLAINTEXT://{host}:{port},SASL_SSL://{host}:{sasl_port},SSL://{host}:{tls_port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},SASL_SSL://{host}:{sasl_port},SSL://{host}:{tls_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=false
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
ssl.client.auth=none
listener.name.ssl.ssl.client.auth=required
listener.name.ssl.ssl.principal.mapping.rules=RULE:^CN=(.*?)$/$1/
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {users};
"""


@dataclass(frozen=True)
class SecuredSide:
    """Listeners, authority and users of one broker. `folder` holds the authority and the certificates it signs."""

    folder: Path
    sasl_port: int
    tls_port: int
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """User → password."""

    @property
    def sasl_bootstrap(self) -> str:
        """Address for clients with a password."""
        return f"{HOST}:{self.sasl_port}"

    @property
    def tls_bootstrap(self) -> str:
        """Address for clients with a certificate."""
        return f"{HOST}:{self.tls_port}"

    @property
    def ca(self) -> Path:
        """The authority's certificate: what clients trust."""
        return self.folder / "ca.pem"

    def properties(self, port: int, controller_port: int) -> str:
        """`more_properties` of the broker: its listeners, and what guards them."""
        users = " ".join(f'user_{name}="{password}"' for name, password in sorted(self.users.items()))
        return PROPERTIES.format(
            host=HOST,
            port=port,
            controller_port=controller_port,
            sasl_port=self.sasl_port,
            tls_port=self.tls_port,
            folder=self.folder,
            users=users,
        )

    def prepare(self) -> None:
        """Make the authority and the broker's certificate if they are not there. Raises `LocalKafkaError`."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.ca.exists():
            authority = ["-x509", "-days", str(DAYS_VALID), "-subj", "/CN=profilestream-local"]
            _openssl("req", *_CURVE, "-nodes", *authority, "-keyout", self.folder / "ca.key", "-out", self.ca)
        if not (self.folder / "broker.pem").exists():
            certificate, key = self.certificate("broker")
            (self.folder / "broker.pem").write_text(key.read_text() + certificate.read_text())

    def certificate(self, name: str, password: str = "") -> tuple[Path, Path]:
        """A certificate for `name` at 127.0.0.1 (not: localhost), signed by the authority; and its key."""
        certificate, key, request = (self.folder / f"{name}.{end}" for end in ("crt", "key", "csr"))
        closed = ("-passout", f"pass:{password}") if password else ("-nodes",)
        _openssl("req", *_CURVE, *closed, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        names = self.folder / f"{name}.ext"
        names.write_text(f"subjectAltName=IP:{HOST}\n")
        signed_by: list[str | Path] = ["-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial"]
        _openssl(
            "x509", "-req", "-days", str(DAYS_VALID), "-in", request, *signed_by, "-extfile", names, "-out", certificate
        )
        return certificate, key

    def add_users(self, bootstrap: str) -> None:
        """Tell a running broker the users' SCRAM credentials."""
        if not self.users:
            return
        kind = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
        wanted: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(name, kind, word.encode()) for name, word in self.users.items()
        ]
        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        for future in admin.alter_user_scram_credentials(wanted).values():
            future.result(ANSWER_TIMEOUT_S)


def _openssl(*arguments: str | Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise LocalKafkaError(
            "Certificates are made with openssl, and there is none in PATH. Install it "
            "(Debian: apt-get install openssl)."
        )
    answer = subprocess.run(
        [program, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise LocalKafkaError(f"openssl {arguments[0]} could not make a certificate: {answer.stderr.strip()}")
