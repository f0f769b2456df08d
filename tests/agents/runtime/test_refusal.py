"""Why no broker answers, and whether to try again would help."""

from confluent_kafka import KafkaError, KafkaException

from agents.errors import BrokerError
from agents.runtime.refusal import no_answer
from agents.settings import read_settings


def test_a_name_that_is_not_found_is_no_fault_of_a_certificate() -> None:
    settings = read_settings(bootstrap_servers="no-such-host.invalid:9092")
    error = no_answer(settings, KafkaException(KafkaError(KafkaError._TRANSPORT)))
    assert isinstance(error, BrokerError)
    assert "resolve" in str(error)
