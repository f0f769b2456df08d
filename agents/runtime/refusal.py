"""Why a broker does not answer, or says no: errors of Kafka clients as errors that say what to mend."""

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from agents.errors import AccessError, BrokerError, ProfilestreamError
from agents.runtime.clients import admin_client
from agents.settings import Settings

PROBE_S = 4.0
"""A refused log-in is heard after half a second at most; a name that does not resolve takes longest."""
POLL_S = 0.1
ANSWER_TIMEOUT_S = 8.0
_NO_RIGHT = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
_WORDS_OF_TLS = ("SSL handshake failed", "SSL connection closed by peer", "SSL routines")
"""librdkafka's own, the second where a port hangs up on a greeting that it does not know, and OpenSSL's. "SSL" alone is
also in the name of a state, in which any connection may end."""


def no_answer(settings: Settings, error: KafkaException) -> ProfilestreamError:
    """The error to raise when no broker answered. Asks once more to hear why, for up to `PROBE_S` seconds."""
    if lacks_right(error.args[0]):
        return no_right(settings, error.args[0].str())
    where, heard = f"Kafka at {settings.bootstrap_servers}", _hear(settings)
    reason = next((one for one in heard if one.code() != KafkaError._ALL_BROKERS_DOWN), None)
    if reason is None:
        hint = (
            "The connection is closed without a word: does the broker want TLS or a password "
            "(PROFILESTREAM_SECURITY_PROTOCOL)?\n  "
            if heard
            else ""
        )
        return BrokerError(
            f"no answer from {where}: {error.args[0].str()}\n  {hint}"
            "Start it (profilestream kafka start), or set PROFILESTREAM_BOOTSTRAP_SERVERS."
        )
    if reason.code() == KafkaError._AUTHENTICATION:
        return AccessError(
            f"{where} does not let {_who(settings)} in: {reason.str()}\n  "
            "Check PROFILESTREAM_SASL_USERNAME, PROFILESTREAM_SASL_PASSWORD (or PROFILESTREAM_SASL_PASSWORD_FILE) and "
            "PROFILESTREAM_SASL_MECHANISM."
        )
    said = reason.str()
    of_tls = reason.code() == KafkaError._SSL or any(words in said for words in _WORDS_OF_TLS)
    if of_tls and ("certificate verify failed" in said or "hostname mismatch" in said.lower()):
        return AccessError(
            f"the certificate of {where} is not trusted: {reason.str()}\n  "
            "PROFILESTREAM_SSL_CA must name the authority that signed it, and the certificate the host that is asked."
        )
    if of_tls:
        return AccessError(
            f"{where} refuses the TLS connection: {reason.str()}\n  "
            "Does this port speak TLS (PROFILESTREAM_BOOTSTRAP_SERVERS, PROFILESTREAM_SECURITY_PROTOCOL)? Does it want "
            "a client certificate, and trust this one (PROFILESTREAM_SSL_CERTIFICATE, PROFILESTREAM_SSL_KEY)?"
        )
    return BrokerError(
        f"no answer from {where}: {reason.str()}\n  "
        "Start it (profilestream kafka start), or set PROFILESTREAM_BOOTSTRAP_SERVERS."
    )


def lacks_right(error: KafkaError) -> bool:
    """Whether the broker answered that the client may not do this."""
    return error.code() in _NO_RIGHT


def refused(settings: Settings, what: str, right: str, error: KafkaException) -> ProfilestreamError:
    """The error for `what`, which failed; if it did for want of a right, that is named."""
    if lacks_right(error.args[0]):
        return no_right(settings, right)
    return BrokerError(f"{what}: {error.args[0].str()}")


def no_right(settings: Settings, what: str) -> AccessError:
    """The error for a right that is missing."""
    return AccessError(
        f"{_who(settings)} has no right to: {what}\n  The commands that give each worker its rights: profilestream acls"
    )


def missing_rights(admin: AdminClient, operations: Mapping[str, Iterable[str]]) -> list[str]:
    """`Operation on topic name` for all operations, by topic, that the broker would refuse to this client.

    It is taken as willing where it does not tell, and where there is no such topic.
    """
    futures = admin.describe_topics(
        TopicCollection(list(operations)), include_authorized_operations=True, request_timeout=ANSWER_TIMEOUT_S
    )
    missing = []
    for name, future in futures.items():
        try:
            allowed = {operation.name for operation in future.result().authorized_operations or ()}
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                missing += [f"{operation} on topic {name}" for operation in operations[name]]
            continue
        if allowed:
            missing += [
                f"{operation} on topic {name}" for operation in operations[name] if _NAMES[operation] not in allowed
            ]
    return missing


_NAMES = {"Read": "READ", "Write": "WRITE", "Describe": "DESCRIBE", "DescribeConfigs": "DESCRIBE_CONFIGS"}
"""Operations in librdkafka's words."""


def _hear(settings: Settings) -> list[KafkaError]:
    """What a fresh client says while it tries to connect, up to the first reason."""
    heard: list[KafkaError] = []
    client = admin_client(settings, error_cb=heard.append)
    ends = time.monotonic() + PROBE_S
    while time.monotonic() < ends:
        client.poll(POLL_S)
        if any(one.code() != KafkaError._ALL_BROKERS_DOWN for one in heard):
            break
    return heard


def _who(settings: Settings) -> str:
    if settings.uses_sasl:
        return f"user {settings.sasl_username}"
    return "this client's certificate" if settings.ssl_certificate is not None else "a client without a name"
