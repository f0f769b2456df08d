"""Options of every librdkafka client, in one place."""

from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from agents.settings import Settings

EMBEDDED_FETCH_WAIT_MS = 4
"""librdkafka's mock cluster answers a fetch at the end of its wait, also when records came meanwhile."""
MESSAGE_BYTES = 1_048_000
"""What a broker takes by default; librdkafka's own default is less than a dead letter of 1 MB with its headers."""
SOCKET_TIMEOUT_MS = 6_000
"""A blocking call must come back before SIGTERM's ten seconds are over."""


def _common(settings: Settings) -> dict[str, Any]:
    """What all clients share."""
    return {
        **_security(settings),
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"profilestream-{settings.instance}",
        "message.max.bytes": MESSAGE_BYTES,
        "socket.timeout.ms": SOCKET_TIMEOUT_MS,
        "log_level": 2,  # what fails is raised or returned; a line for each try to reconnect would bury it
        "reconnect.backoff.max.ms": 1_000,
    }


def _security(settings: Settings) -> dict[str, Any]:
    """TLS and SASL in librdkafka's words; `agents.security` has checked the files."""
    options: dict[str, Any] = {"security.protocol": settings.security_protocol}
    if settings.uses_tls:
        options["ssl.endpoint.identification.algorithm"] = "https" if settings.ssl_check_hostname else "none"
        if settings.ssl_ca is not None:
            options["ssl.ca.location"] = str(settings.ssl_ca)
        if settings.ssl_certificate is not None:
            options["ssl.certificate.location"] = str(settings.ssl_certificate)
            options["ssl.key.location"] = str(settings.ssl_key)
        if password := settings.key_password():
            options["ssl.key.password"] = password
    if settings.uses_sasl:
        options["sasl.mechanism"] = settings.sasl_mechanism
        options["sasl.username"] = settings.sasl_username
        options["sasl.password"] = settings.password()
    return options


def transactional_producer(settings: Settings, transactional_id: str) -> Producer:
    """A producer for exactly-once work; `init_transactions` fences earlier holders of the id."""
    return Producer(
        {
            **_common(settings),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": settings.transaction_timeout_ms,
            "socket.timeout.ms": min(SOCKET_TIMEOUT_MS, settings.transaction_timeout_ms),  # librdkafka insists
            # A transaction that begins right after another one's end is told to retry: soon, not after 100 ms.
            "retry.backoff.ms": 2,
            "retry.backoff.max.ms": 20,
            "linger.ms": 1,
            "batch.size": 1_000_000,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 512 * 1024,
            # The partition is always explicit; this is for tools that leave it out.
            "partitioner": "murmur2_random",
        }
    )


def plain_producer(settings: Settings, **options: Any) -> Producer:
    """A producer for tools: idempotent, Java's partitioner."""
    return Producer(
        {
            **_common(settings),
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            **options,
        }
    )


def committed_consumer(settings: Settings, group: str, **options: Any) -> Consumer:
    """A consumer that sees committed records only and never commits by itself."""
    if settings.embedded:
        options["fetch.wait.max.ms"] = EMBEDDED_FETCH_WAIT_MS
    return Consumer(
        {
            **_common(settings),
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": settings.session_timeout_ms,
            "heartbeat.interval.ms": max(settings.session_timeout_ms // 4, 500),
            **options,
        }
    )


def admin_client(settings: Settings, **options: Any) -> AdminClient:
    """A client for topics and offsets."""
    return AdminClient({**_common(settings), **options})
