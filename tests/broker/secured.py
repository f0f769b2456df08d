"""A secured Kafka for tests: its clients' settings, and access rights as an administrator sets them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from agents.access import KINDS, Grant, Resource
from agents.local.cache import cache_folder
from agents.local.java import KAFKA_VERSION, exclusive, find_java, kafka_jars
from agents.local.kafka import LocalKafka
from agents.local.secured import SecuredSide
from agents.settings import Settings, read_settings
from tests.broker.support import wait_until
from tests.conftest import free_port

PREFIX = "profilestream-"
EVERYBODY = (*(PREFIX + kind for kind in KINDS), "alice", "stranger")
PASSWORDS = {name: f"pass-of-{name}-5f2c" for name in EVERYBODY}
TYPES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Create": AclOperation.CREATE,
    "All": AclOperation.ALL,
}


@dataclass(frozen=True)
class Secured:
    """A running broker with a secured side."""

    broker: LocalKafka
    side: SecuredSide

    def settings(self, prefix: str, folder: Path, user: str = "alice", **more: object) -> Settings:
        """Settings of a user with a password (SCRAM-SHA-512 unless told otherwise)."""
        options: dict[str, object] = {
            "bootstrap_servers": self.side.sasl_bootstrap,
            "security_protocol": "SASL_SSL",
            "ssl_ca": self.side.ca,
            "sasl_username": user,
            "sasl_password": PASSWORDS[user],
        }
        return self._settings(prefix, folder, {**options, **more})

    def certified(self, prefix: str, folder: Path, name: str, key_password: str = "", **more: object) -> Settings:
        """Settings of a client with a certificate in this name."""
        certificate, key = self.side.certificate(name, key_password)
        options: dict[str, object] = {
            "bootstrap_servers": self.side.tls_bootstrap,
            "security_protocol": "SSL",
            "ssl_ca": self.side.ca,
            "ssl_certificate": certificate,
            "ssl_key": key,
        }
        return self._settings(prefix, folder, {**options, **more})

    @staticmethod
    def _settings(prefix: str, folder: Path, options: dict[str, object]) -> Settings:
        return read_settings(topic_prefix=prefix, data_dir=folder, session_timeout_ms=6_000, gather_s=0.1, **options)

    @cached_property
    def admin(self) -> AdminClient:
        """The administrator."""
        return AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})

    def allow(self, user: str, *grants: Grant) -> None:
        """Give rights; they count when this returns."""
        rules = [rule for grant in grants for rule in bindings(user, grant)]
        for future in self.admin.create_acls(rules).values():
            future.result(20)
        wait_until(lambda: all(self.found(rule) for rule in rules), "the rights")

    def found(self, rule: AclBinding) -> bool:
        """Whether the broker knows this rule."""
        return bool(self.admin.describe_acls(as_filter(rule)).result(20))

    @contextmanager
    def without(self, user: str, grant: Grant) -> Iterator[None]:
        """Take a right away for a while."""
        rules = bindings(user, grant)
        for future in self.admin.delete_acls([as_filter(rule) for rule in rules]).values():
            assert future.result(20), f"{user} never had {grant}"
        wait_until(lambda: not any(self.found(rule) for rule in rules), "the end of the right")
        try:
            yield
        finally:
            self.allow(user, grant)


def bindings(user: str, grant: Grant) -> list[AclBinding]:
    """The rules that a grant is."""
    pattern = ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL
    return [
        AclBinding(
            TYPES[grant.resource],
            grant.name,
            pattern,
            f"User:{user}",
            "*",
            OPERATIONS[operation],
            AclPermissionType.ALLOW,
        )
        for operation in grant.operations
    ]


def as_filter(rule: AclBinding) -> AclBindingFilter:
    """What finds this rule alone."""
    return AclBindingFilter(
        rule.restype,
        rule.name,
        rule.resource_pattern_type,
        rule.principal,
        rule.host,
        rule.operation,
        rule.permission_type,
    )


def everything(prefix: str) -> tuple[Grant, ...]:
    """All rights on everything that begins with the prefix."""
    return tuple(Grant(kind, prefix, ("All",), prefixed=True) for kind in get_args(Resource))


@contextmanager
def secured_kafka(folder: Path) -> Iterator[Secured]:
    """A broker with a secured side, for as long as the context lasts."""
    port, controller_port = free_port(), free_port()
    side = SecuredSide(folder / "side", free_port(), free_port(), PASSWORDS)
    side.prepare()
    broker = LocalKafka(folder / "broker", port, controller_port, side.properties(port, controller_port))
    broker.start()
    try:
        side.add_users(broker.bootstrap)
        yield Secured(broker, side)
    finally:
        broker.stop()


def tools_jar() -> Path:
    """Kafka's jar with its command line tools, which the broker does not need; fetched once by Maven."""
    jar = cache_folder() / f"kafka-tools-{KAFKA_VERSION}.jar"
    with exclusive(cache_folder() / "kafka-jars.lock"):
        if not jar.exists():
            wanted = f"-Dartifact=org.apache.kafka:kafka-tools:{KAFKA_VERSION}"
            command = ["mvn", "-q", "-B", "dependency:copy", wanted, f"-DoutputDirectory={cache_folder()}"]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=200)
    return jar


def run_script(script: str, folder: Path) -> None:
    """Run a script of `kafka-acls.sh` commands, with Kafka's own tool under that name."""
    tool, jars = folder / "kafka-acls.sh", f"{tools_jar()}{os.pathsep}{kafka_jars(cache_folder())}/*"
    tool.write_text(f'#!/bin/sh\nexec {find_java()} -cp "{jars}" org.apache.kafka.tools.AclCommand "$@"\n')
    tool.chmod(0o755)
    ended = subprocess.run(
        ["/bin/sh"],
        input=script,
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
